//! The one bridge from async to the blocking crates `store` and `sandbox`.

/// Runs blocking work on the runtime's blocking threads and waits for its result.
///
/// A panic of the work continues here. When the returned future is dropped the work goes on to its
/// end, unseen: whatever must stop early has to be told (see [`crate::exec`]).
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
