//! HTTPS: by which names a server is trusted, and certificates that change while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pincite::serve::{Options, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::cli::Pincite;
use crate::line::FOREVER;
use crate::remote::{Server, ask_at};
use crate::sockets::Running;

const LIST: &[&str] = &["workspace", "list"];

/// An authority, and a certificate that it made for a server.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ca(&self) -> String {
        self.file("ca.pem").to_str().unwrap().to_owned()
    }

    /// Writes a certificate for `names` and its key over those before, and returns it.
    fn certify(&self, names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs_err::write(self.file("cert.pem"), certificate.pem()).unwrap();
        fs_err::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    fn files(&self) -> TlsFiles {
        let look_every = Duration::from_millis(5);
        TlsFiles { look_every, ..TlsFiles::new(&self.file("cert.pem"), &self.file("key.pem")) }
    }

    async fn connect(&self, server: &Running) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

fn certificate_of(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn paths(cert: &Path, key: &Path) -> [String; 4] {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    ["--tls-cert".to_owned(), text(cert), "--tls-key".to_owned(), text(key)]
}

#[test]
fn a_server_with_a_certificate_is_trusted_by_its_name_and_authority_alone() {
    let (pincite, authority) = (Pincite::words_alone(), Authority::new());
    authority.certify(&["localhost", "search.example"]);
    let files = paths(&authority.file("cert.pem"), &authority.file("key.pem"));
    let server = Server::start(&pincite, &files.each_ref().map(String::as_str));
    let port = server.url.strip_prefix("https://127.0.0.1:").unwrap();
    let (by_name, by_address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let ca = authority.ca();
    let trusting = [LIST, &["--ca-file", &ca]].concat();

    let ran = ask_at(&pincite, &by_name, &trusting);
    assert_eq!((ran.code, ran.out.as_str()), (0, "default  on the server\n"), "{}", ran.err);

    let other = Authority::new();
    let (other_ca, none) = (other.ca(), pincite.data.path().join("config.toml"));
    fs_err::write(&none, "").unwrap();
    let untrusted: [(&str, &[&str]); 3] =
        [(&by_address, &["--ca-file", &ca]), (&by_name, &["--ca-file", &other_ca]), (&by_name, &[])];
    for (url, arguments) in untrusted {
        let ran = ask_at(&pincite, url, &[LIST, arguments, &["--key", "pin_secret"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{url} {arguments:?}: {}", ran.err);
        assert!(ran.err.contains("is not trusted: "), "{url} {arguments:?}: {}", ran.err);
    }
    let ran = ask_at(&pincite, &by_name, &[LIST, &["--ca-file", none.to_str().unwrap()]].concat());
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("holds no certificate in PEM"), "{}", ran.err);

    let plain = ask_at(&pincite, &format!("http://localhost:{port}"), LIST);
    assert_eq!(
        (plain.code, plain.err.as_str()),
        (2, "error: this server speaks HTTPS only\nhint: use an `https://` URL\n")
    );
}

#[test]
fn a_certificate_that_cannot_be_used_keeps_the_server_from_starting() {
    let (pincite, authority) = (Pincite::words_alone(), Authority::new());
    authority.certify(&["localhost"]);
    let (cert, key, other) = (authority.file("cert.pem"), authority.file("key.pem"), authority.file("other.pem"));
    fs_err::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let cases = [
        (&cert, &other, "the certificate and the key cannot be used together"),
        (&key, &key, "holds no certificate in PEM"),
        (&cert, &cert, "holds no private key in PEM"),
        (&authority.file("missing.pem"), &key, "missing.pem"),
    ];
    for (cert, key, message) in cases {
        let files = paths(cert, key);
        let arguments: Vec<&str> =
            ["serve", "--listen", "127.0.0.1:0"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let ran = pincite.run(&arguments);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(message) && ran.err.contains("hint: "), "{}", ran.err);
    }
    assert_eq!(pincite.run(&["serve", "--tls-cert", cert.to_str().unwrap()]).code, 2, "one without the other");
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"{\"status\":\"live\"}") {
        let read = stream.read_buf(&mut reply).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&reply));
    }
    String::from_utf8(reply).unwrap()
}

#[tokio::test]
async fn a_changed_certificate_is_taken_while_older_connections_go_on() {
    let authority = Authority::new();
    let first = authority.certify(&["localhost"]);
    let server = Running::start(Options { tls: Some(authority.files()), ..Options::default() }).await;
    let mut old = authority.connect(&server).await;
    assert_eq!(certificate_of(&old), first);
    assert!(get(&mut old).await.starts_with("HTTP/1.1 200 OK\r\n"));

    let second = authority.certify(&["localhost"]);
    let taken = async {
        while certificate_of(&authority.connect(&server).await) != second {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(FOREVER, taken).await.expect("the new certificate is taken");
    assert!(get(&mut old).await.starts_with("HTTP/1.1 200 OK\r\n"), "the old connection goes on");

    // A key of another certificate, then no certificate at all, then one that fits.
    fs_err::write(authority.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    for _ in 0..20 {
        assert_eq!(certificate_of(&authority.connect(&server).await), second);
    }
    fs_err::remove_file(authority.file("cert.pem")).unwrap();
    for _ in 0..20 {
        assert_eq!(certificate_of(&authority.connect(&server).await), second);
    }
    let third = authority.certify(&["localhost"]);
    let taken = async {
        while certificate_of(&authority.connect(&server).await) != third {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(FOREVER, taken).await.expect("the third certificate is taken");
    assert!(get(&mut old).await.starts_with("HTTP/1.1 200 OK\r\n"), "the oldest connection goes on");
    drop(old);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_is_slow_in_its_handshake_is_cut_off() {
    let authority = Authority::new();
    authority.certify(&["localhost"]);
    let header_timeout = Duration::from_millis(50);
    let tls = Some(authority.files());
    let server = Running::start(Options { tls, header_timeout, ..Options::default() }).await;
    // Nothing; the beginning of a record of a handshake; and a handshake without a header after it.
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00"] {
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(FOREVER, slow.read_to_end(&mut rest)).await.expect("the connection ends");
        assert!(read.is_err() || rest.is_empty(), "{rest:?}");
    }
    let mut silent = authority.connect(&server).await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(FOREVER, silent.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(read.is_err() || rest.is_empty(), "{rest:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    authority.certify(&["localhost"]);
    let tls = Some(authority.files());
    let server = Running::start(Options { tls, shutdown_deadline: FOREVER, ..Options::default() }).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let _idle = authority.connect(&server).await;
    tokio::time::timeout(FOREVER, server.stop()).await.expect("the server ends");
}
