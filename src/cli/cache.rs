//! Where seedbed keeps what it can make again: nothing in there is missed when it is removed.

use std::env;
use std::path::PathBuf;

/// `SEEDBED_CACHE_DIR`, where an empty one means none; else a directory of our own where this platform
/// has its caches. It need not exist.
pub fn directory() -> Option<PathBuf> {
    if let Some(named) = env::var_os("SEEDBED_CACHE_DIR") {
        return (!named.is_empty()).then(|| named.into());
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    // By its specification, a variable with a relative path is passed over.
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let caches = caches.or_else(|| Some(env::home_dir().filter(absolute)?.join(usual)))?;
    Some(caches.join("seedbed"))
}
