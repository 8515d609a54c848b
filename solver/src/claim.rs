//! One vertex at a time for each key.
//!
//! Equal definitions are one vertex of the graph, but two vertices can turn out to have one key
//! only when the content of their inputs is known. The first one to claim the key runs; the second
//! waits and takes over its record, also where the cache is bypassed.
//!
//! Who holds a claim waits for the results of its inputs and for a free process. The keys of its
//! inputs are part of its own key, so no two claims can wait for each other. A claim is given back
//! when its guard is dropped: a vertex that fails or is canceled leaves no claim behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cache::{CacheKey, Record};
use tokio::sync::OwnedMutexGuard;

/// The claim of one key: what its vertex was recorded as, once that is known.
pub(crate) type Claim = OwnedMutexGuard<Option<Record>>;

/// All claims of a job.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<CacheKey, Arc<tokio::sync::Mutex<Option<Record>>>>>);

impl Claims {
    /// Waits until nobody else has claimed the key.
    pub(crate) async fn claim(&self, key: CacheKey) -> Claim {
        let claim = {
            let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(claims.entry(key).or_default())
        };
        claim.lock_owned().await
    }
}
