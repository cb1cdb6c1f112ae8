//! The `clank` program.

/// The system's allocator keeps what clients needed long after they have left; `docs/performance.md`
/// has the figures. Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    clank_server::cli::run()
}
