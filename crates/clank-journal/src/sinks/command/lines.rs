//! Lines of a length that is known.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// The next line, without its end and without what is longer than `most`; `None` at the end.
pub(super) async fn next(from: &mut (impl AsyncBufRead + Unpin), most: usize) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut begun = false;
    loop {
        let block = from.fill_buf().await?;
        if block.is_empty() {
            return Ok(begun.then(|| String::from_utf8_lossy(&line).into_owned()));
        }
        begun = true;
        let end = block.iter().position(|byte| *byte == b'\n');
        let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        let room = most.saturating_sub(line.len());
        line.extend_from_slice(part.get(..room).unwrap_or(part));
        let read = part.len() + usize::from(end.is_some());
        from.consume(read);
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_is_too_long_is_cut_and_the_next_line_is_whole() {
        let mut from: &[u8] = b"one\r\n\nlonger than it may be\nlast";
        let mut lines = Vec::new();
        while let Some(line) = next(&mut from, 6).await.unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", "longer", "last"]);
    }
}
