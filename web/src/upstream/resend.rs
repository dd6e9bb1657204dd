use std::{future::Future, pin::pin, sync::Arc, time::Instant};

use bytes::Bytes;
use futures::future::{Either, select};
use http::{Method, Response, request};
use http_body::Body;

use super::{
    AnswerBody, UpstreamError,
    answer_head::AnswerHead,
    app::App,
    counters::count,
    exchange::{Exchange, Failure},
    fitness::Fault,
    flock::Flock,
    outgoing::Outgoing,
    probe::Nothing,
    watch::millis,
};
use crate::body::BodyError;

/// So many apps may be found unreachable for one request.
const UNREACHABLE: usize = 4;
/// How often a harmless request is sent again.
const RETRIES: u8 = 2;
/// How often one of which nothing was sent is begun anew.
const UNSENT: u8 = 4;

/// A request to the apps, through all that may go wrong.
pub(super) struct Call<'a> {
    flock: &'a Flock,
    head: &'a request::Parts,
    /// It changes nothing and has no body.
    harmless: bool,
    /// When all patience ends, by the clock.
    until: u64,
}

/// What was tried.
#[derive(Default)]
struct Tried {
    unreachable: Vec<Arc<App>>,
    /// The one that lost it.
    lost: Option<Arc<App>>,
    retries: u8,
    unsent: u8,
}

/// A head has come, after so long.
struct Answered {
    exchange: Exchange,
    head: AnswerHead,
}

impl<'a> Call<'a> {
    pub(super) fn new<B: Body>(flock: &'a Flock, head: &'a request::Parts, body: &B) -> Self {
        flock.budget.deposit();
        Self {
            flock,
            head,
            harmless: matches!(head.method, Method::GET | Method::HEAD) && body.is_end_stream(),
            until: flock.common.clock.now() + millis(flock.common.limits.total),
        }
    }

    /// The answer.
    pub(super) async fn answer<B>(
        &self,
        body: &mut B,
    ) -> Result<Response<AnswerBody>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        let mut tried = Tried::default();
        let mut outgoing = self.outgoing(body);
        loop {
            let mut exchange = self
                .begin(tried.lost.as_ref(), &mut tried.unreachable)
                .await?;
            let began = Instant::now();
            let failure = match exchange.head(&mut outgoing, body).await {
                Ok(head) => {
                    self.note(exchange.lease().app(), began);
                    return Ok(exchange.into_response(head));
                }
                Err(Failure::Overdue) if self.is_early() => {
                    // Rare, and large.
                    return Box::pin(self.hedge(exchange, outgoing, began)).await;
                }
                Err(failure) => failure,
            };
            self.again(&exchange, failure, &mut tried)?;
            if !outgoing.rewind() {
                return Err(UpstreamError::Lost(std::io::ErrorKind::BrokenPipe.into()));
            }
        }
    }

    fn outgoing<B: Body>(&self, body: &B) -> Outgoing {
        let left = self.until.saturating_sub(self.flock.common.clock.now());
        Outgoing::new(self.head, &self.flock.common.host, body, left)
    }

    /// A connection of an app that can be connected to.
    async fn begin(
        &self,
        lost: Option<&Arc<App>>,
        unreachable: &mut Vec<Arc<App>>,
    ) -> Result<Exchange, UpstreamError> {
        loop {
            let lease = self.flock.choose(unreachable, lost)?;
            let same = lost
                .as_ref()
                .is_some_and(|app| Arc::ptr_eq(app, lease.app()));
            // What befell one connection of an app may have befallen all that wait.
            let waiting = if same { None } else { lease.app().take() };
            let wire = match waiting {
                Some(wire) => wire,
                // Rare, and large.
                None => match Box::pin(lease.app().connect()).await {
                    Ok(wire) => wire,
                    Err(_told_already) => {
                        unreachable.push(Arc::clone(lease.app()));
                        if unreachable.len() >= UNREACHABLE {
                            return Err(UpstreamError::Unavailable);
                        }
                        continue;
                    }
                },
            };
            let bodiless = self.head.method == Method::HEAD;
            return Ok(Exchange::new(lease, wire, bodiless, self.due()));
        }
    }

    /// When a request that begins now is overdue.
    fn due(&self) -> u64 {
        if !self.harmless {
            return self.until;
        }
        let late = self.flock.common.clock.now() + self.flock.hedge_after();
        late.min(self.until)
    }

    /// Whether something can still be done about an answer that is late.
    fn is_early(&self) -> bool {
        self.harmless && self.flock.common.clock.now() < self.until
    }

    fn note(&self, app: &App, began: Instant) {
        app.fitness.answered(self.flock.common.clock.now());
        if self.harmless {
            app.latency.note(micros(began));
        }
    }

    /// Allows for one more attempt, or says why there is none.
    fn again(
        &self,
        exchange: &Exchange,
        failure: Failure,
        tried: &mut Tried,
    ) -> Result<(), UpstreamError> {
        let app = exchange.lease().app();
        match failure {
            Failure::Unsent if tried.unsent < UNSENT => {
                tried.unsent += 1;
                tried.lost = Some(Arc::clone(app)).filter(|_| !exchange.is_reused());
                return Ok(());
            }
            Failure::Lost(_) if self.harmless && tried.retries < RETRIES => {
                if self.flock.budget.withdraw() {
                    app.failed(Fault::NoAnswer);
                    count(&self.flock.common.counters.retries);
                    tried.retries += 1;
                    tried.lost = Some(Arc::clone(app));
                    return Ok(());
                }
                count(&self.flock.common.counters.budget_exhausted);
            }
            Failure::Unsent
            | Failure::Lost(_)
            | Failure::Broken(_)
            | Failure::Malformed(_)
            | Failure::Overdue
            | Failure::Body(_) => {}
        }
        Err(failed(app, failure))
    }

    /// Asks another app as well, and takes the answer that comes first.
    async fn hedge(
        &self,
        first: Exchange,
        outgoing: Outgoing,
        began: Instant,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let late = Arc::clone(first.lease().app());
        late.latency.note(micros(began));
        let first = self.finish(first, outgoing, began);
        if !self.flock.has_other(&late) {
            return first.await.map(Answered::into_response);
        }
        // Slow to one is no fault; silent to all is.
        let since = self
            .flock
            .common
            .clock
            .now()
            .saturating_sub(self.flock.hedge_after());
        if late.fitness.is_silent_since(since) {
            late.failed(Fault::NoAnswer);
        }
        if !self.flock.budget.withdraw() {
            count(&self.flock.common.counters.budget_exhausted);
            return first.await.map(Answered::into_response);
        }
        count(&self.flock.common.counters.hedges);
        let second = async {
            let exchange = self.begin(Some(&late), &mut Vec::new()).await?;
            self.finish(exchange, self.outgoing(&Nothing), Instant::now())
                .await
        };
        let answered = match select(pin!(first), pin!(second)).await {
            Either::Left((Ok(answered), _)) | Either::Right((Ok(answered), _)) => Ok(answered),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        };
        answered.map(Answered::into_response)
    }

    /// Waits for one exchange as long as there is patience at all.
    fn finish(
        &self,
        mut exchange: Exchange,
        mut outgoing: Outgoing,
        began: Instant,
    ) -> impl Future<Output = Result<Answered, UpstreamError>> {
        exchange.wait_until(self.until);
        async move {
            match exchange.head(&mut outgoing, &mut Nothing).await {
                Ok(head) => {
                    self.note(exchange.lease().app(), began);
                    Ok(Answered { exchange, head })
                }
                Err(failure) => Err(failed(exchange.lease().app(), failure)),
            }
        }
    }
}

impl Answered {
    fn into_response(self) -> Response<AnswerBody> {
        self.exchange.into_response(self.head)
    }
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Holds a failure against the app, if it is the app's.
fn failed(app: &App, failure: Failure) -> UpstreamError {
    let error = match failure {
        Failure::Body(error) => return UpstreamError::Body(error),
        Failure::Unsent => UpstreamError::Unavailable,
        Failure::Lost(error) | Failure::Broken(error) => UpstreamError::Lost(error),
        Failure::Malformed(error) => UpstreamError::Malformed(error),
        Failure::Overdue => UpstreamError::Slow,
    };
    app.failed(Fault::NoAnswer);
    error
}
