//! Free memory of this machine.

use std::fs;

/// Returns the bytes of memory that are free without swapping, or the bytes that the control group still allows if
/// these are fewer. `None` on systems other than Linux.
pub fn available_bytes() -> Option<u64> {
    let machine = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")? * 1024;
    let number = |file: &str| fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?.trim().parse::<u64>().ok();
    // A control group counts the page cache as used, but the kernel frees the cache when a program needs memory.
    let cache =
        fs::read_to_string("/sys/fs/cgroup/memory.stat").ok().and_then(|text| number_of(&text, "inactive_file "));
    let group = number("memory.max").zip(number("memory.current"));
    let group = group.map(|(most, used)| most.saturating_sub(used.saturating_sub(cache.unwrap_or(0))));
    Some(group.map_or(machine, |group| group.min(machine)))
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

fn number_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!(kilobytes("MemTotal: 24000 kB\nMemAvailable:   17000 kB\n", "MemAvailable:"), Some(17_000));
        assert_eq!(kilobytes("", "MemAvailable:"), None);
        assert_eq!(number_of("anon 5\ninactive_file 7\n", "inactive_file "), Some(7));
        if cfg!(target_os = "linux") {
            assert!(available_bytes().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
