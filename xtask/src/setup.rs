//! Installs what the tests need beside Rust, on Debian and its kin; on other systems it says what is missing.

use std::path::Path;
use std::process::Command;

use crate::process::{command, output, run, succeeds};
use crate::workspace::Workspace;
use crate::{Result, node};

/// Something that the tests need, and the Debian packages it comes in.
struct Need {
    what: &'static str,
    /// Their names, with white space between.
    packages: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler, make and binutils (the program's allocator, Autobahn's parts, strip)",
        packages: "gcc libc6-dev make binutils",
        present: || ["cc", "make", "strip"].iter().all(|name| succeeds(name, &["--version"])),
    },
    Need {
        what: "Git (which files are the project's)",
        packages: "git",
        present: || succeeds("git", &["--version"]),
    },
    Need {
        what: "curl (the examples of the HTTP API's guide)",
        packages: "curl",
        present: || succeeds("curl", &["--version"]),
    },
    Need {
        what: "certificates (npm, pip)",
        packages: "ca-certificates",
        present: || Path::new("/etc/ssl/certs/ca-certificates.crt").exists(),
    },
    Need {
        what: "Node.js and npm (the JavaScript client, browser tests)",
        packages: "nodejs npm",
        present: node::has_npm,
    },
    Need {
        what: "Chromium (browser tests)",
        packages: "chromium",
        present: || BROWSERS.iter().any(|name| succeeds(name, &["--version"])),
    },
    Need {
        what: "NATS, Redis and RabbitMQ (brokers that events are delivered to)",
        packages: "nats-server redis-server rabbitmq-server",
        present: || {
            succeeds("nats-server", &["--version"])
                && succeeds("redis-server", &["--version"])
                && Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()
        },
    },
    Need {
        what: "iproute2, iptables and util-linux (networks and disks that fail)",
        packages: "iproute2 iptables util-linux mount",
        present: || {
            succeeds("ip", &["-V"])
                && succeeds("iptables", &["--version"])
                && succeeds("unshare", &["--version"])
        },
    },
    Need {
        what: "PHP, Symfony, and where sessions are kept (the Symfony bundle, a receiver of webhooks)",
        packages: include_str!("../../php/debian-packages.txt"),
        present: || {
            succeeds("php", &["-r", PHP])
                && ["mariadbd", "memcached"].iter().all(|name| succeeds(name, &["--version"]))
                && Path::new("/usr/lib/postgresql").exists()
        },
    },
    Need {
        what: "Python 3 with venv (Autobahn|Testsuite, a client of WAMP v2, an example that receives webhooks)",
        packages: "python3 python3-venv",
        present: || succeeds("python3", &["-c", "import venv, ensurepip"]),
    },
];

/// Fails unless all extensions and parts of Symfony are there.
const PHP: &str = r#"
    foreach (['mbstring', 'memcached', 'pdo_mysql', 'pdo_pgsql', 'pdo_sqlite', 'redis', 'xml'] as $name) {
        extension_loaded($name) || exit(1);
    }
    foreach (['Bundle/FrameworkBundle', 'Bundle/TwigBundle', 'Component/Dotenv', 'Component/Security/Core'] as $part) {
        is_file("/usr/share/php/Symfony/$part/autoload.php") || exit(1);
    }
"#;

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// Where `npm ci` has to have run.
const NPM_FOLDERS: &[&str] = &["js/clank", "e2e"];

/// Makes the machine fit for `cargo xtask ci`; what is there is left alone.
///
/// # Errors
/// Something is missing and could not be installed.
pub(crate) fn prepare(workspace: &Workspace) -> Result<String> {
    println!("The tests need, beside Rust:");
    let mut packages = Vec::new();
    for need in NEEDS {
        let present = (need.present)();
        println!("  {:9} {}", if present { "present" } else { "MISSING" }, need.what);
        if !present {
            packages.extend(need.packages.split_whitespace());
        }
    }
    println!(
        "  and npm packages and a Python environment in the checkout, a Python 2.7 environment in the user's cache folder"
    );
    if !packages.is_empty() {
        println!("Installing with apt-get: {}", packages.join(" "));
        install(workspace, &packages)?;
    }

    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if output(&mut workspace.cargo(&[probe, "--version"])).is_err() {
            run(&mut command(workspace.root(), "rustup", &["component", "add", component]))?;
        }
    }
    if !has_nextest() {
        println!(
            "cargo-nextest is not installed; `cargo test` runs the tests instead (building it takes minutes)."
        );
    }
    node::ensure(workspace.root())?;
    for folder in NPM_FOLDERS {
        node::install_packages(&workspace.path(folder))?;
    }
    run(&mut command(&workspace.path("e2e"), "npm", &["run", "--silent", "wamp2:install"]))?;
    run(&mut command(workspace.root(), "python3", &["e2e/autobahn/run.py", "--setup"]))?;
    Ok("the machine is ready".to_owned())
}

/// Whether `cargo nextest` can be used: it is quicker, and runs each test in a process of its own.
pub(crate) fn has_nextest() -> bool {
    succeeds("cargo", &["nextest", "--version"])
}

fn install(workspace: &Workspace, packages: &[&str]) -> Result {
    if !succeeds("apt-get", &["--version"]) {
        return Err(format!("this is no Debian: install what Debian has as {}", packages.join(", ")));
    }
    run(&mut apt_get(workspace, &["update"])?)?;
    run(&mut apt_get(workspace, &[&["install", "--yes", "--no-install-recommends"], packages].concat())?)
}

/// `apt-get` as root, through sudo for everyone else.
fn apt_get(workspace: &Workspace, arguments: &[&str]) -> Result<Command> {
    let root = workspace.root();
    let is_root = output(&mut command(root, "id", &["-u"]))?.trim() == "0";
    let mut apt_get = if is_root {
        command(root, "apt-get", arguments)
    } else {
        command(root, "sudo", &[&["DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat())
    };
    apt_get.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(apt_get)
}
