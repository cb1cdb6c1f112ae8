//! Which requests there are.

use bytes::Bytes;
use clank::Handle;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::command::{Command, Disconnect, MOST, SendHere};
use super::journal::{Question, SEARCH};
use super::list;
use super::order::Order;
use super::problem::{Problem, ProblemKind};
use super::request::{Parts, Query, parse};

/// One method of one path.
pub(super) struct Route {
    pub method: Method,
    /// The path; parts in braces are open.
    pub path: &'static str,
    /// The parameters of its query.
    pub parameters: &'static [&'static str],
    pub action: Action,
}

/// What a route does.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// Looks at what is there.
    Look(fn(&Handle, &Parts, &Query) -> Result<Box<RawValue>, Problem>),
    /// Asks something about the journal.
    Ask(fn(&Parts, &Query) -> Result<Question, Problem>),
    /// Changes something, as the body says, which is JSON.
    Post(fn(&Parts, &Bytes) -> Result<Work, Problem>),
    /// Ends something, as path and query say.
    Delete(fn(&Parts, &Query) -> Result<Work, Problem>),
}

/// What is to be done.
pub(super) enum Work {
    One(Command),
    Batch(Vec<Command>),
    Order(Order),
}

const PAGED: &[&str] = &["limit", "cursor"];
const CLOSING: &[&str] = &["code", "reason"];

/// Every route. Where two paths fit, the first does.
pub(super) const ROUTES: &[Route] = &[
    post("/v1/publish", |_, body| Ok(Work::One(Command::Publish(parse(body)?)))),
    post("/v1/call", |_, body| Ok(Work::One(Command::Call(parse(body)?)))),
    post("/v1/batch", |_, body| batch(body)),
    look("/v1/connections", &["identity", "path", "topic", "limit", "cursor"], |clank, _, query| {
        list::connections(clank, query)
    }),
    look("/v1/connections/count", &["identity", "path", "topic"], |clank, _, query| {
        list::count(clank, query)
    }),
    look("/v1/connections/{resource_id}", &[], |clank, parts, _| list::connection(clank, parts.only())),
    delete("/v1/connections/{resource_id}", CLOSING, |parts, query| {
        disconnect(Some(list::resource_id(parts.only())?), None, query)
    }),
    post("/v1/connections/{resource_id}/events", |parts, body| {
        let id = list::resource_id(parts.only())?;
        Ok(Work::One(Command::Send(parse::<SendHere>(body)?.to(id))))
    }),
    look("/v1/users/{identity}/connections", PAGED, |clank, parts, query| {
        list::connections_of(clank, parts.only(), query)
    }),
    delete("/v1/users/{identity}/connections", CLOSING, |parts, query| {
        disconnect(None, Some(parts.only().to_owned()), query)
    }),
    look("/v1/topics", &["prefix", "limit", "cursor"], |clank, _, query| list::topics(clank, query)),
    look("/v1/topics/{topic}", &[], |clank, parts, _| list::topic(clank, parts.only())),
    look("/v1/topics/{topic}/connections", PAGED, |clank, parts, query| {
        list::members(clank, parts.only(), query)
    }),
    look("/v1/topics/{topic}/users", PAGED, |clank, parts, query| list::users(clank, parts.only(), query)),
    ask("/v1/sinks", &[], |_, _| Ok(Question::Sinks)),
    delete("/v1/sinks/{sink}", &[], |parts, _| Order::remove(parts.only()).map(Work::Order)),
    ask("/v1/sinks/{sink}/dead-letters", PAGED, |parts, query| Question::dead_letters(parts.only(), query)),
    delete("/v1/sinks/{sink}/dead-letters", &["id", "all"], |parts, query| {
        Order::drop_dead(parts.only(), query).map(Work::Order)
    }),
    post("/v1/sinks/{sink}/dead-letters/retry", |parts, body| {
        Order::retry(parts.only(), body).map(Work::Order)
    }),
    post("/v1/sinks/{sink}/replays", |parts, body| Order::replay(parts.only(), body).map(Work::Order)),
    delete("/v1/sinks/{sink}/replays", &[], |parts, _| Order::cancel_replay(parts.only()).map(Work::Order)),
    ask("/v1/events", SEARCH, |_, query| Question::events(query)),
    ask("/v1/events/{id}", &[], |parts, _| Question::event(parts.only())),
    ask("/v1/journal", &[], |_, _| Ok(Question::Journal)),
];

const fn post(path: &'static str, read: fn(&Parts, &Bytes) -> Result<Work, Problem>) -> Route {
    Route { method: Method::POST, path, parameters: &[], action: Action::Post(read) }
}

const fn look(
    path: &'static str,
    parameters: &'static [&'static str],
    answer: fn(&Handle, &Parts, &Query) -> Result<Box<RawValue>, Problem>,
) -> Route {
    Route { method: Method::GET, path, parameters, action: Action::Look(answer) }
}

const fn ask(
    path: &'static str,
    parameters: &'static [&'static str],
    read: fn(&Parts, &Query) -> Result<Question, Problem>,
) -> Route {
    Route { method: Method::GET, path, parameters, action: Action::Ask(read) }
}

const fn delete(
    path: &'static str,
    parameters: &'static [&'static str],
    read: fn(&Parts, &Query) -> Result<Work, Problem>,
) -> Route {
    Route { method: Method::DELETE, path, parameters, action: Action::Delete(read) }
}

impl Route {
    /// Whether there is nothing here without a journal.
    pub(super) fn needs_journal(&self) -> bool {
        ["/v1/sinks", "/v1/events", "/v1/journal"].iter().any(|folder| self.path.starts_with(folder))
    }
}

fn batch(body: &Bytes) -> Result<Work, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Batch {
        commands: Vec<Command>,
    }
    let Batch { commands } = parse(body)?;
    match commands.len() {
        0..=MOST => Ok(Work::Batch(commands)),
        _ => Err(Problem::invalid(format!("commands: at most {MOST}"))),
    }
}

fn disconnect(resource_id: Option<u64>, identity: Option<String>, query: &Query) -> Result<Work, Problem> {
    let (code, reason) = (query.number("code")?, query.find("reason").unwrap_or_default().to_owned());
    Ok(Work::One(Command::Disconnect(Disconnect { resource_id, identity, code, reason })))
}

/// The route of a request, with the open parts of its path.
pub(super) fn find(method: &Method, path: &str) -> Result<(&'static Route, Parts), Problem> {
    let mut fitting = ROUTES.iter().filter_map(|route| Some((route, Parts::of(path, route.path)?)));
    let Some((first, parts)) = fitting.next() else {
        let detail = "what there is stands in /openapi.json";
        return Err(Problem::new(ProblemKind::NotFound, detail));
    };
    // A response to HEAD is that to GET, without its body.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let methods = || ROUTES.iter().filter(|route| route.path == first.path);
    match methods().find(|route| route.method == method) {
        Some(route) => Ok((route, parts?)),
        None => {
            let known: Vec<&str> = methods().flat_map(|route| allowed(&route.method)).copied().collect();
            let allow = known.join(", ");
            let detail = format!("this path knows {allow}");
            Err(Problem::new(ProblemKind::MethodNotAllowed, detail).header("allow", allow))
        }
    }
}

fn allowed(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::GET => &["GET", "HEAD"],
        Method::POST => &["POST"],
        _ => &["DELETE"],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::api::{OPENAPI, ProblemKind};

    fn described() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    /// What a reference within the description leads to.
    fn resolve<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        target.map_or(value, |target| description.pointer(target).unwrap())
    }

    /// Method, path, and parameters with where they stand, of each operation.
    fn operations(description: &Value) -> BTreeSet<(String, String, Vec<String>)> {
        let mut operations = BTreeSet::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let names = parameters.map(|parameter| {
                    let parameter = resolve(description, parameter);
                    [&parameter["in"], &parameter["name"]].map(|word| word.as_str().unwrap()).join(" ")
                });
                let mut names: Vec<String> = names.collect();
                names.sort();
                operations.insert((method.to_uppercase(), path.clone(), names));
            }
        }
        operations
    }

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let texts = ["/openapi.json", "/metrics"];
        let texts = texts.map(|path| ("GET".to_owned(), path.to_owned(), Vec::new()));
        let mut served = BTreeSet::from(texts);
        for route in ROUTES {
            let open = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let path = open.map(|name| format!("path {name}"));
            let query = route.parameters.iter().map(|name| format!("query {name}"));
            let key = (route.method != Method::GET).then(|| "header Idempotency-Key".to_owned());
            let mut names: Vec<String> = path.chain(query).chain(key).collect();
            names.sort();
            served.insert((route.method.to_string(), route.path.to_owned(), names));
        }
        assert_eq!(operations(&described()), served);
        assert_eq!(described()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn the_description_has_the_status_of_every_problem() {
        let description = described();
        let mut statuses = BTreeSet::new();
        for methods in description["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                statuses.extend(operation["responses"].as_object().unwrap().keys().cloned());
            }
        }
        // No operation has a path that is not there, or a method that it does not know.
        for kind in ProblemKind::ALL.iter().filter(|kind| **kind != ProblemKind::MethodNotAllowed) {
            assert!(statuses.contains(kind.status().as_str()), "{kind:?}");
        }
    }
}
