//! [`RetryPolicy`]: how often a request is repeated, and how long is waited before.

use std::time::Duration;

use crate::error::RegistryError;

/// How often a request that failed for a passing reason is made, and the pauses between.
///
/// The pause doubles from attempt to attempt. A registry's `Retry-After` is honoured instead where
/// it asks for longer. No pause is longer than the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is made at most, the first time included.
    pub attempts: u32,
    /// The pause after the first failure.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl RetryPolicy {
    /// As many attempts, without pauses between them: for tests.
    pub const fn immediate(attempts: u32) -> Self {
        Self { attempts, first_pause: Duration::ZERO, longest_pause: Duration::ZERO }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(60) }
    }
}

/// The failures of one request so far.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, failures: 0 }
    }

    /// Forgets the failures: something was gained.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits until the request is to be made again; gives the failure back if it is not to be.
    pub(crate) async fn pause(&mut self, failure: RegistryError) -> Result<(), RegistryError> {
        self.failures += 1;
        if !failure.is_transient() || self.failures >= self.policy.attempts {
            return Err(failure);
        }
        let pause = self.duration(failure.retry_after());
        tracing::debug!(%failure, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn duration(&self, asked: Option<Duration>) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = self.policy.first_pause.saturating_mul(1 << doublings);
        pause.max(asked.unwrap_or_default()).min(self.policy.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_respect_what_is_asked() {
        let mut backoff = Backoff::new(RetryPolicy { attempts: 9, ..RetryPolicy::default() });
        let mut pauses = Vec::new();
        for failures in 1..=9 {
            backoff.failures = failures;
            pauses.push(backoff.duration(None).as_millis());
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        backoff.reset();
        assert_eq!(backoff.duration(Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(backoff.duration(Some(Duration::from_secs(7000))).as_secs(), 60);
    }
}
