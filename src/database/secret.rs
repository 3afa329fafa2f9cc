//! A text that must never be shown.

/// A password, or whatever else is nobody's business.
///
/// It has neither `Debug`, `Display` nor `Serialize`, so no message, log or panic can carry it,
/// not even by accident in a derived `Debug` of the type that holds it:
///
/// ```compile_fail
/// let secret = seedbed::database::secret::Secret::new("canary");
/// println!("{secret:?}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret from here on.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that has to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
