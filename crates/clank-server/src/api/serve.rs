//! A request, from its headers to its answer.

use std::sync::Arc;

use bytes::Bytes;
use clank::Handle;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::access::{Caller, authorize};
use super::command::run_all;
use super::idempotency::{Key, Store, Verdict};
use super::metrics;
use super::problem::{Problem, ProblemKind};
use super::request::{Query, discard, expect_json, is_coming, read};
use super::respond::{Answer, document};
use super::route::{Action, Work, find};
use super::{DISCARD, OPENAPI};
use crate::config::{ApiSettings, Tokens};
use crate::events::Access;

/// What all requests share.
pub(super) struct Api {
    clank: Handle,
    journal: Option<Access>,
    settings: ApiSettings,
    /// `None`: who has come so far needs no token.
    tokens: Option<Tokens>,
    keys: Arc<Store>,
    /// A request that changes something is carried out also when its client has gone; so they are
    /// bounded by more than the number of connections.
    under_way: Arc<Semaphore>,
}

impl Api {
    pub(super) fn new(
        clank: Handle,
        journal: Option<Access>,
        settings: &ApiSettings,
        tokens: Option<Tokens>,
    ) -> Self {
        let under_way = Arc::new(Semaphore::new(settings.connections.count()));
        Self { clank, journal, settings: settings.clone(), tokens, keys: Arc::default(), under_way }
    }

    /// Answers a request.
    pub(super) async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let deadline = Instant::now() + self.settings.timeout.duration();
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            match request.uri().path() {
                "/openapi.json" => return document("application/json", OPENAPI),
                "/metrics" => return self.metrics(request.headers()).await,
                _ => {}
            }
        }
        let (answer, is_replayed) = match self.judge(&mut request, deadline).await {
            Ok(answered) => answered,
            Err(problem) => {
                if is_coming(request.headers(), request.body()) {
                    let soon = deadline.min(Instant::now() + DISCARD);
                    discard(request.body_mut(), 4 * self.settings.body.bytes(), soon).await;
                }
                (problem.into(), false)
            }
        };
        tracing::debug!(method = %request.method(), status = answer.status.as_u16(), "answered a request");
        answer.into_response(is_replayed)
    }

    /// The answer, and whether it is that of an earlier request. A token comes before all else:
    /// who has none learns nothing.
    async fn judge(
        &self,
        request: &mut Request<Incoming>,
        deadline: Instant,
    ) -> Result<(Answer, bool), Problem> {
        let caller = self.authorize(request.headers())?;
        let uri = request.uri().clone();
        let (route, parts) = find(request.method(), uri.path())?;
        let query = Query::parse(uri.query().unwrap_or_default(), route.parameters)?;
        if route.needs_journal() {
            self.journal()?;
        }
        let key = match route.action {
            Action::Look(answer) => return Ok((answer(&self.clank, &parts, &query).into(), false)),
            Action::Ask(ask) => {
                let answer = timeout_at(deadline, ask(&parts, &query)?.answer(self.journal()?));
                return Ok((answer.await.unwrap_or_else(|_| Err(no_answer())).into(), false));
            }
            Action::Post(_) | Action::Delete(_) => Key::of(request.headers(), caller, route.path)?,
        };
        if let Action::Post(_) = route.action {
            expect_json(request.headers())?;
        }
        let body = read(request.body_mut(), self.settings.body.bytes(), deadline).await?;
        let work = match route.action {
            Action::Post(post) => post(&parts, &body)?,
            Action::Delete(delete) => delete(&parts, &query)?,
            Action::Look(_) | Action::Ask(_) => unreachable!("it has been answered"),
        };
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        self.carry_out(work, key, (target, &body), deadline).await
    }

    async fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        match self.authorize(headers) {
            Ok(_) => document(metrics::MEDIA_TYPE, metrics::page(&self.clank, self.journal.as_ref()).await),
            Err(problem) => Answer::from(problem).into_response(false),
        }
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        self.tokens.as_ref().map_or(Ok(Caller::default()), |tokens| authorize(tokens, headers))
    }

    fn journal(&self) -> Result<&Access, Problem> {
        self.journal.as_ref().ok_or_else(no_journal)
    }

    /// Does the work, or finds that it was done.
    async fn carry_out(
        &self,
        work: Work,
        key: Option<Key>,
        what: (&str, &[u8]),
        deadline: Instant,
    ) -> Result<(Answer, bool), Problem> {
        let under_way = match key.map(|key| self.keys.begin(key, what)).transpose()? {
            Some(Verdict::Again(answer)) => return Ok((answer, true)),
            Some(Verdict::First(under_way)) => Some(under_way),
            None => None,
        };
        let permit = Arc::clone(&self.under_way).try_acquire_owned().map_err(|_| {
            let detail = "send it again in a second; api.connections says how many there may be";
            Problem::new(ProblemKind::TooManyRequests, detail).header("retry-after", "1")
        })?;
        let (clank, journal) = (self.clank.clone(), self.journal.clone());
        // On its own, for it goes on to its end, and its answer is kept, when the client has gone.
        let done = tokio::spawn(async move {
            let _permit = permit;
            let answer: Answer = match work {
                Work::One(command) => command.run(&clank, deadline).await.into(),
                Work::Batch(commands) => run_all(commands, &clank, deadline).await.into(),
                Work::Order(order) => match &journal {
                    Some(journal) => timeout_at(deadline, order.run(journal))
                        .await
                        .unwrap_or_else(|_| Err(no_answer()))
                        .into(),
                    None => no_journal().into(),
                },
            };
            if let Some(under_way) = under_way {
                under_way.answered(&answer);
            }
            answer
        });
        let failed = |_| Problem::new(ProblemKind::InternalError, "the log says more");
        done.await.map(|answer| (answer, false)).map_err(failed)
    }
}

fn no_journal() -> Problem {
    let detail = "a sink, or anything in the section [journal] of the configuration, makes it keep one";
    Problem::new(ProblemKind::NoJournal, detail)
}

fn no_answer() -> Problem {
    Problem::new(ProblemKind::JournalFailed, "the disk did not answer within api.timeout")
}
