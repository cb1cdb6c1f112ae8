//! Lists the files of the PHP bundle, which the program carries with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Parts of the bundle's directory that an application needs.
const PARTS: [&str; 5] = ["autoload.php", "bin", "shapes", "src", "config"];

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let bundle = variable("CARGO_MANIFEST_DIR")?.join("../../php");
    let mut files = Vec::new();
    for part in PARTS {
        let path = bundle.join(part);
        println!("cargo::rerun-if-changed={}", path.display());
        find(&path, &mut files)?;
    }
    files.sort();
    let mut list = "&[\n".to_owned();
    for file in files {
        let name = file.strip_prefix(&bundle).map_err(io::Error::other)?;
        _ = writeln!(list, "    ({:?}, include_str!({:?})),", name, file.canonicalize()?);
    }
    list.push_str("]\n");
    fs::write(variable("OUT_DIR")?.join("bundle.rs"), list)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            find(&entry?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}
