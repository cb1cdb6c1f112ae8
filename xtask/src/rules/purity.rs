//! Pure crates take `now`, random bytes and settings as arguments; the standard library's sources of them are refused.

use crate::Result;
use crate::workspace::Workspace;

use super::source::{is_source, without_tests};
use super::verdict;

const PURE: &[&str] = &["crates/clank-wire/src/", "crates/clank-core/src/"];

const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "take `now` as an argument"),
    ("SystemTime::now", "take `now` as an argument"),
    ("Timestamp::now", "take `now` as an argument"),
    ("Zoned::now", "take `now` as an argument"),
    ("RandomState::new", "take the seed as an argument"),
    ("std::env", "take settings as arguments"),
    ("std::fs", "leave files to the caller"),
    ("std::process", "leave processes to the caller"),
    ("std::thread", "leave threads to the caller"),
    ("TcpStream", "leave sockets to the caller"),
    ("TcpListener", "leave sockets to the caller"),
    ("UdpSocket", "leave sockets to the caller"),
    ("println!", "return values; the caller prints"),
];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let files = workspace.files()?;
    let pure =
        files.iter().filter(|path| is_source(path) && PURE.iter().any(|folder| path.starts_with(folder)));
    let (mut count, mut findings) = (0, Vec::new());
    for path in pure {
        count += 1;
        let text = workspace.text(path)?.unwrap_or_default();
        for (number, line) in without_tests(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            let impure = IMPURE.iter().filter(|(word, _)| line.contains(word));
            findings.extend(impure.map(|(word, advice)| format!("{path}:{}: {word}: {advice}", number + 1)));
        }
    }
    verdict(format!("{count} files"), "impure uses:", &findings)
}
