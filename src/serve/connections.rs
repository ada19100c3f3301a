//! The accept loop: `axum::serve` has no deadline for headers, so connections are driven here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Options;

/// How long to wait after a failure to accept that will not pass at once, as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `router` to whoever connects, until `stop` is done and connections have ended or the deadline is over.
pub(super) async fn serve(listener: TcpListener, router: &Router, options: &Options, stop: impl Future<Output = ()>) {
    let (stopping, _) = watch::channel(false);
    let places = Arc::new(Semaphore::new(options.max_connections.max(1)));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            // The semaphore is never closed, so a place always comes.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = drive(stream, router.clone(), options.header_timeout, stopping.subscribe());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
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
    // Whoever connects from now on is refused, instead of waiting for nobody.
    drop(listener);
    stopping.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.shutdown_deadline, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off by the deadline for stopping");
        connections.shutdown().await;
    }
}

/// Drives one connection to its end; told to stop, it finishes the request that it is at.
async fn drive(stream: TcpStream, router: Router, header_timeout: Duration, mut stopping: watch::Receiver<bool>) {
    // Replies are short: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
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
