//! The `clank` program.

fn main() -> std::process::ExitCode {
    clank_server::cli::run()
}
