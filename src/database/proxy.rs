//! Proxies of serverless providers, which say everything with the code of an internal error.
//!
//! The words are those of Neon's proxy, as its published source has them.

/// What passes: a compute that is still starting, or a limit that is reached for now.
const PASSES: &[&str] = &[
    "Couldn't connect to compute node",
    "Failed to acquire permit",
    "Too many connections attempts",
    "Too many connections to this endpoint",
    "Authentication timed out",
    "Console request failed",
];

/// Passes only when nothing stands behind it; otherwise what stands there is the reason.
const CONTROL_PLANE: &str = "Control plane request failed";

/// Whether an internal error (XX000) on connecting passes, by its words. Unknown ones are taken not to: a
/// wrong password is among those of that code, and trying it again locks accounts.
pub fn passes(message: &str) -> bool {
    PASSES.iter().any(|words| message.contains(words))
        || message.trim_end_matches(['.', ' ']).ends_with(CONTROL_PLANE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_the_rest_is_not() {
        let check = |message: &str, expected: bool| assert_eq!(passes(message), expected, "{message}");
        for message in [
            "Couldn't connect to compute node",
            "Control plane request failed",
            "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
            "Too many connections attempts",
            "Authentication timed out",
        ] {
            check(message, true);
        }
        for message in [
            "password authentication failed for user 'u'",
            "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support",
            "Control plane request failed: endpoint is disabled. Enable it using Neon API and retry.",
            "The requested endpoint could not be found, or you don't have access to it.",
            "This IP address 1.2.3.4 is not allowed to connect to this endpoint.",
            "Your project has exceeded the data transfer quota. Check your quotas",
            "unsupported startup parameter",
            "something new",
        ] {
            check(message, false);
        }
    }
}
