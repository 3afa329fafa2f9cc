//! What a connection string sets, under libpq's names, before it is understood.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::DsnError;

/// The settings of one connection string, each under libpq's name for it.
#[derive(Default)]
pub struct Settings(BTreeMap<&'static str, Setting>);

/// One value, and the name its author used for it. It may be a password: it has no `Debug`.
pub struct Setting {
    /// The option or variable.
    pub name: &'static str,
    /// The value as it was meant, quotes and escapes removed.
    pub value: String,
}

impl Settings {
    /// Sets an option, in place of what it was before. An empty value is none, as in libpq.
    ///
    /// # Errors
    ///
    /// The value holds a NUL character, which the server's protocol cannot carry.
    pub fn set(&mut self, key: &'static str, name: &'static str, value: String) -> Result<(), DsnError> {
        if value.contains('\0') {
            return Err(DsnError::new(format!("`{name}` holds a NUL character"))
                .help("remove `%00`; PostgreSQL cannot take it"));
        }
        if value.is_empty() {
            self.0.remove(key);
        } else {
            self.0.insert(key, Setting { name, value });
        }
        Ok(())
    }

    /// Whether an option is set.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Takes an option out.
    pub fn take(&mut self, key: &str) -> Option<Setting> {
        self.0.remove(key)
    }

    /// Takes the text of an option out.
    pub fn take_text(&mut self, key: &str) -> Option<String> {
        self.take(key).map(|setting| setting.value)
    }

    /// Takes one of some words out, as what it stands for.
    ///
    /// # Errors
    ///
    /// It is another word.
    pub fn take_word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, DsnError> {
        let Some(setting) = self.take(key) else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == setting.value) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                Err(DsnError::new(format!("the value of `{}` is not known", setting.name))
                    .help(format!("use one of {}", words.join(", "))))
            }
        }
    }

    /// Takes a number out.
    ///
    /// # Errors
    ///
    /// It is no whole number, or it is too large.
    pub fn take_number(&mut self, key: &str) -> Result<Option<i32>, DsnError> {
        let Some(setting) = self.take(key) else {
            return Ok(None);
        };
        match setting.value.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(DsnError::new(format!("`{}` is not a whole number", setting.name))
                .help("write digits, without a unit")),
        }
    }

    /// Takes a time out that is counted in the given unit; zero or less is no time at all.
    ///
    /// # Errors
    ///
    /// It is no whole number, or it is too large.
    pub fn take_time(&mut self, key: &str, unit: Duration) -> Result<Option<Time>, DsnError> {
        let number = self.take_number(key)?;
        Ok(number.map(|number| match u32::try_from(number) {
            Ok(number) if number > 0 => Time::Limited(unit * number),
            _ => Time::Unlimited,
        }))
    }
}

/// A time that was given, which may have been given as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// This long.
    Limited(Duration),
    /// For ever, or however long the system has it.
    Unlimited,
}

impl Time {
    /// The time, if there is one.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Time::Limited(duration) => Some(duration),
            Time::Unlimited => None,
        }
    }
}
