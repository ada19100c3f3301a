//! TLS of the listener: a certificate and its key from two PEM files, which are read again when they change.
//!
//! # Invariants
//! - A connection keeps the certificate that it began with. A new one gets the newest pair of files that fits together.
//! - Files that cannot be used never replace those that could: the server goes on with the old ones, and the log says why.
//! - A client that is slow in its handshake is cut off like one that is slow with its header; it has a place like every connection.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::timed::Timed;
use crate::error::{Advice, ErrorBody, ErrorReport};

/// How often the files are compared with those that were read last.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The first byte of every handshake of TLS: the type of its record.
const HANDSHAKE: u8 = 22;
/// Bytes of a request without TLS that are taken before its connection is closed.
const MAX_PLAIN_BYTES: u64 = 64 * 1024;

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key in PEM, without a passphrase.
    pub key: PathBuf,
    /// How often to look whether they have changed.
    pub look_every: Duration,
}

impl TlsFiles {
    /// Two files that are looked at every five seconds.
    #[must_use]
    pub fn new(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned(), look_every: LOOK_EVERY }
    }

    fn read(&self) -> Result<Pair, TlsError> {
        Ok(Pair {
            certificate: fs_err::read(&self.certificate).map_err(TlsError::Read)?,
            key: fs_err::read(&self.key).map_err(TlsError::Read)?,
        })
    }

    fn certified(&self, pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let in_certificate = |_| TlsError::NoCertificate { path: self.certificate.clone() };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&pair.certificate).collect::<Result<_, _>>().map_err(in_certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: self.certificate.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|_| TlsError::NoKey { path: self.key.clone() })?;
        CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Unfit)
    }
}

/// The bytes of both files.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    fn digest(&self) -> [u8; 32] {
        let of = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        of(&[of(&self.certificate), of(&self.key)].concat())
    }
}

/// The certificate of new connections.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(…)")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// The server's side of TLS.
pub(super) struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    /// Of the files as they were read last, whether they could be used or not.
    seen: Mutex<Option<[u8; 32]>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or are no certificate and the key of it.
    pub(super) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let pair = files.read()?;
        let current = Arc::new(Current(RwLock::new(Arc::new(files.certified(&pair, &provider)?))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unfit)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Mutex::new(Some(pair.digest())));
        Ok(Self { files, provider, acceptor, current, seen })
    }

    /// Takes up changes of the files, until it is dropped.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.files.look_every).await;
            let this = Arc::clone(&self);
            // A file system may hang.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    /// Takes the files, where they have changed and can be used.
    fn look(&self) {
        let pair = self.files.read();
        let digest = pair.as_ref().ok().map(Pair::digest);
        // What could not be used is told once.
        if std::mem::replace(&mut *self.seen.lock(), digest) == digest {
            return;
        }
        match pair.and_then(|pair| self.files.certified(&pair, &self.provider)) {
            Ok(certified) => {
                *self.current.0.write() = Arc::new(certified);
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                let report = ErrorReport::of(&error);
                tracing::warn!(error = %report.message, "the changed certificate cannot be used; the old one stays");
            }
        }
    }

    /// Shakes hands. A client that speaks HTTP without TLS is told so, and gets nothing.
    pub(super) async fn accept(&self, stream: Timed) -> std::io::Result<TlsStream<Timed>> {
        if stream.peek_byte().await?.is_some_and(|byte| byte != HANDSHAKE) {
            refuse_plain(stream).await?;
            return Err(std::io::Error::other("the client speaks without TLS"));
        }
        self.acceptor.accept(stream).await
    }
}

async fn refuse_plain(mut stream: Timed) -> std::io::Result<()> {
    let report = ErrorReport::new("tls_required", "this server speaks HTTPS only", "use an `https://` URL");
    let body = serde_json::to_string(&ErrorBody { error: report }).unwrap_or_default();
    let reply = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await?;
    // Bytes that nobody took would reset the connection, and with it the reply.
    tokio::io::copy(&mut stream.take(MAX_PLAIN_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("a file of TLS cannot be read")]
    Read(#[source] std::io::Error),
    /// The file holds no certificate.
    #[error("`{}` holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("`{}` holds no private key in PEM that can be used", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The certificate or the key is of a kind that is not known, or they do not belong together.
    #[error("the certificate and the key cannot be used together")]
    Unfit(#[source] rustls::Error),
}

impl Advice for TlsError {
    fn code(&self) -> &'static str {
        "cannot_use_tls"
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read(_) => "name two files that this process may read, by `--tls-cert` and `--tls-key`",
            Self::NoCertificate { .. } => {
                "give the whole chain in PEM to `--tls-cert`, the server's own certificate first"
            }
            Self::NoKey { .. } => "give the private key to `--tls-key`: PEM, without a passphrase",
            Self::Unfit(_) => {
                "give the key that the first certificate of `--tls-cert` was made for: ECDSA, Ed25519 or RSA"
            }
        };
        Some(hint.to_owned())
    }
}
