//! Execution of a Bundle: conditions are searched, then the entries are executed. A write whose condition finds something else
//! by then writes nothing, and the Bundle is evaluated again.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use fhir::bundle::BundleRequest;
use fhir::bundle::BundleType;
use fhir::bundle::ParsedBundle;
use fhir::bundle::parse;
use uuid::Uuid;

use super::FhirError;
use super::batch::BatchExecutor;
use super::batch::BatchProgress;
use super::conditions::ResolvedConditions;
use super::preference::ReturnPreference;
use super::transaction::BundleResponses;
use super::transaction::TransactionResult;
use super::transaction::transaction;
use crate::http::body::RequestBody;
use crate::http::state::AppState;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::random_id;
use crate::services::request_budget::RequestBudget;

/// Maximum evaluations of a Bundle that execute nothing, because of concurrent writes that its conditions find.
const MAX_ATTEMPTS: u32 = 8;
/// Delay before the second attempt; it doubles with each.
const FIRST_DELAY: Duration = Duration::from_millis(2);

/// The execution of a Bundle.
pub(super) struct BundleExecution<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    /// The body; none once it is known that it is not parsed again.
    body: Option<Arc<RequestBody>>,
    preference: ReturnPreference,
    /// The budget of the request, which all its evaluations share.
    budget: Arc<RequestBudget>,
    /// The ids of resources that entries create, by the index of the entry: the same in each evaluation.
    new_ids: HashMap<usize, Uuid>,
    /// The evaluations that executed nothing since the last one that did.
    attempts: u32,
}

impl<'a> BundleExecution<'a> {
    /// The execution of a Bundle that was not parsed yet.
    pub(super) fn new(
        app: &'a AppState,
        caller: &'a Caller,
        body: RequestBody,
        preference: ReturnPreference,
    ) -> Self {
        Self {
            app,
            caller,
            body: Some(Arc::new(body)),
            preference,
            budget: Arc::new(RequestBudget::new()),
            new_ids: HashMap::new(),
            attempts: 0,
        }
    }

    /// Executes the Bundle.
    ///
    /// # Errors
    ///
    /// A malformed Bundle, a transaction with an entry that is refused, or another error.
    pub(super) async fn execute(mut self) -> Result<(BundleType, BundleResponses), FhirError> {
        let (bundle, memory) = self.parse().await?;
        if bundle.conditions().is_empty() {
            self.body = None;
        }
        let (bundle_type, entries) = (bundle.bundle_type(), bundle.len());
        let (app, caller, budget) = (self.app, self.caller, &self.budget);
        let resolved = ResolvedConditions::resolve(app, caller, budget, bundle.conditions());
        let mut conditions = resolved.await?;
        let request = self.resolve(bundle, &conditions).await?;
        let responses = match bundle_type {
            BundleType::Transaction => self.transaction(request, memory, &mut conditions).await?,
            BundleType::Batch => {
                self.batch(entries, request, memory, &mut conditions)
                    .await?
            }
        };
        Ok((bundle_type, responses))
    }

    /// Executes a transaction, as often as its conditions require.
    async fn transaction(
        &mut self,
        mut request: BundleRequest,
        mut memory: Reservation,
        conditions: &mut ResolvedConditions,
    ) -> Result<BundleResponses, FhirError> {
        loop {
            let BundleRequest::Transaction(entries) = request else {
                return Err(ServiceError::Internal.into());
            };
            let (app, caller, budget) = (self.app, self.caller, &self.budget);
            let result = transaction(app, caller, budget, entries, conditions, self.preference);
            if let TransactionResult::Executed(responses) = result.await? {
                return Ok(responses);
            }
            drop(memory);
            self.delay().await?;
            (request, memory) = self.evaluate(conditions, &BTreeSet::new()).await?;
        }
    }

    /// Executes a batch: entries whose condition has changed, and those after them, are evaluated again.
    async fn batch(
        &mut self,
        entries: usize,
        mut request: BundleRequest,
        mut memory: Reservation,
        conditions: &mut ResolvedConditions,
    ) -> Result<BundleResponses, FhirError> {
        let (app, caller, budget) = (self.app, self.caller, Arc::clone(&self.budget));
        let mut executor = BatchExecutor::new(app, caller, &budget, entries, self.preference)?;
        loop {
            let BundleRequest::Batch(items) = request else {
                return Err(ServiceError::Internal.into());
            };
            let done = executor.done();
            if executor.execute(items, conditions).await == BatchProgress::Complete {
                return executor.finish();
            }
            drop(memory);
            if executor.done() > done {
                self.attempts = 0;
            }
            let evaluated = match self.delay().await {
                Ok(()) => self.evaluate(conditions, executor.settled()).await,
                Err(error) => Err(error.into()),
            };
            match evaluated {
                Ok(evaluated) => (request, memory) = evaluated,
                Err(error) => {
                    // The entries that were executed have their responses.
                    let error = match error {
                        FhirError::Service(error) => error,
                        FhirError::Refused(_) | FhirError::Failed(_) => {
                            ServiceError::unavailable("the batch cannot be evaluated again")
                        }
                    };
                    executor.fail_remaining(entries, error);
                    return executor.finish();
                }
            }
        }
    }

    /// Searches for the conditions again, except for the `settled` ones, and determines the requests.
    async fn evaluate(
        &mut self,
        conditions: &mut ResolvedConditions,
        settled: &BTreeSet<usize>,
    ) -> Result<(BundleRequest, Reservation), FhirError> {
        let (bundle, memory) = self.parse().await?;
        conditions
            .search(
                self.app,
                self.caller,
                &self.budget,
                bundle.conditions(),
                settled,
            )
            .await?;
        let request = self.resolve(bundle, conditions).await?;
        Ok((request, memory))
    }

    /// Waits before another attempt.
    ///
    /// # Errors
    ///
    /// There were too many.
    async fn delay(&mut self) -> Result<(), ServiceError> {
        self.attempts += 1;
        if self.attempts >= MAX_ATTEMPTS {
            let cause = "too many concurrent writes of what conditions find";
            return Err(ServiceError::unavailable(cause));
        }
        tokio::time::sleep(FIRST_DELAY * 2_u32.pow(self.attempts - 1)).await;
        Ok(())
    }

    async fn parse(&self) -> Result<(ParsedBundle, Reservation), FhirError> {
        let body = self.body.clone().ok_or(ServiceError::Internal)?;
        let (memory, share) = (self.app.memory.clone(), CallerId::of(self.caller));
        let server = self.app.fhir_base();
        // Parsing a large Bundle takes a tenth of a second, so it runs on a blocking thread.
        let parsed = tokio::task::spawn_blocking(move || {
            body.parse_kept(&memory, share, |bytes| {
                parse(bytes, Some(&server)).map_err(FhirError::from)
            })
        });
        parsed.await.map_err(ServiceError::from)?
    }

    async fn resolve(
        &mut self,
        bundle: ParsedBundle,
        conditions: &ResolvedConditions,
    ) -> Result<BundleRequest, FhirError> {
        let matches = conditions.matches().to_vec();
        let mut new_ids = std::mem::take(&mut self.new_ids);
        let resolved = tokio::task::spawn_blocking(move || {
            let new_id = &mut |entry| *new_ids.entry(entry).or_insert_with(random_id);
            let resolved = bundle.resolve(&matches, new_id);
            (resolved, new_ids)
        });
        let (request, new_ids) = resolved.await.map_err(ServiceError::from)?;
        self.new_ids = new_ids;
        Ok(request?)
    }
}
