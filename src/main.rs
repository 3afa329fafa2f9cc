//! The `seedbed` command.

fn main() -> std::process::ExitCode {
    seedbed::cli::main()
}
