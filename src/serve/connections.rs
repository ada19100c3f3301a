//! The accept loop: `axum::serve` has no deadlines for headers and replies, so connections are driven here.
//!
//! # Invariants
//! - Every connection is accepted at once. Beyond the limits, of all or of one address, a connection is one of a reserve, where only
//!   health and metrics are answered; of more than that the newest are kept. So no number of idle connections hides the health.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tower::ServiceExt as _;

use super::Options;
use super::door::Peer;
use super::metrics::Metrics;
use super::timed::Timed;
use super::tls::Tls;

/// How long to wait after a failure to accept that will not pass at once, as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Connections beyond the limits that are answered all the same.
const RESERVE: usize = 32;
/// How long one of the reserve may take to send its header.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(2);

/// What is served: everything, or only that the server is there.
pub(super) struct Served {
    pub all: Router,
    pub health: Router,
    pub metrics: Arc<Metrics>,
}

/// How many are connected, in all and by address.
struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// One of them, until it is dropped.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock();
        let (num, by_address) = &mut *taken;
        let of_one = by_address.get(&address).copied().unwrap_or(0);
        if *num >= self.most || of_one >= self.most_of_one {
            return None;
        }
        *num += 1;
        by_address.insert(address, of_one + 1);
        Some(Place { places: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        let (num, by_address) = &mut *taken;
        *num -= 1;
        if let Some(of_one) = by_address.get_mut(&self.address) {
            *of_one -= 1;
            if *of_one == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Serves connections until `stop` is done, and until all of them have ended or the deadline is over.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    served: &Served,
    options: &Options,
    stop: impl Future<Output = ()>,
) {
    // Ends with this future.
    let mut followers = JoinSet::new();
    if let Some(tls) = &tls {
        followers.spawn(Arc::clone(tls).follow());
    }
    let (stopping, _) = watch::channel(false);
    let (most, most_of_one) = (options.max_connections.max(1), options.max_connections_per_address.max(1));
    let places = Arc::new(Places { most, most_of_one, taken: Mutex::default() });
    let mut reserve: VecDeque<AbortHandle> = VecDeque::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connected = served.metrics.connected();
                    // The same machine by another name is the same.
                    let place = places.take(peer.ip().to_canonical());
                    let is_in_place = place.is_some();
                    let (router, header_timeout) = if is_in_place {
                        (served.all.clone(), options.header_timeout)
                    } else {
                        served.metrics.refused("too_many_connections");
                        (served.health.clone(), options.header_timeout.min(RESERVE_TIMEOUT))
                    };
                    let stream = Timed::new(stream, options.write_timeout);
                    let peer = Peer(peer.ip().to_canonical());
                    let connection =
                        drive(stream, tls.clone(), (router, peer), header_timeout, stopping.subscribe());
                    let driven = connections.spawn(async move {
                        connection.await;
                        drop((place, connected));
                    });
                    if !is_in_place {
                        reserve.retain(|driven| !driven.is_finished());
                        if reserve.len() >= RESERVE && let Some(oldest) = reserve.pop_front() {
                            oldest.abort();
                        }
                        reserve.push_back(driven);
                    }
                }
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for now");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Ended connections are taken off the list as they end.
            Some(_) = connections.join_next() => {}
        }
    }
    // Connections from now on are refused, instead of waiting for nobody.
    drop(listener);
    stopping.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.shutdown_deadline, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off by the deadline for stopping");
        connections.shutdown().await;
    }
}

/// Says to a request that waits that the server is to end.
#[derive(Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Is done when the server is to end.
    pub(super) async fn told(&mut self) {
        // A server that is gone has ended.
        let _ = self.0.wait_for(|&stopping| stopping).await;
    }
}

/// Drives one connection to its end, after the handshake of TLS where there is one, which has as much time as a header.
async fn drive(
    stream: Timed,
    tls: Option<Arc<Tls>>,
    (router, peer): (Router, Peer),
    header_timeout: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let Some(tls) = tls else { return speak(stream, (router, peer), header_timeout, stopping).await };
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(header_timeout, tls.accept(stream)) => accepted,
        // Nothing was asked yet.
        _ = stopping.wait_for(|&stopping| stopping) => return,
    };
    match accepted {
        Ok(Ok(stream)) => speak(stream, (router, peer), header_timeout, stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

/// Speaks HTTP to the end of a connection; told to stop, it finishes the request that it is at.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    (router, peer): (Router, Peer),
    header_timeout: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let told = Stopping(stopping.clone());
    let router = router.map_request(move |mut request: Request<_>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(told.clone());
        request
    });
    // With HTTP/2 allowed, the builder would wait for a connection's first bytes without a deadline.
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let told_to_stop = async { stopping.wait_for(|&stopping| stopping).await.is_ok() };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = told_to_stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Is done when the process is asked to end. Signals are heard from the moment of the call.
pub(super) fn termination() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let mut ctrl_c = tokio::signal::windows::ctrl_c()?;
        Ok(async move {
            ctrl_c.recv().await;
        })
    }
}
