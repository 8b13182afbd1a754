//! The table at the end of `cargo xtask test`: the time of each job, and the failures.

use std::time::Duration;

use super::jobs::{Outcome, Verdict};

/// Returns the table with the slowest job first, then the failures, then a summary line.
pub fn of(outcomes: &[Outcome], total: Duration) -> String {
    let mut slowest: Vec<_> = outcomes.iter().collect();
    slowest.sort_by_key(|outcome| std::cmp::Reverse(outcome.time));
    let mut text = String::from("== time of each job\n");
    for Outcome { name, verdict, time } in &slowest {
        let time = time.as_secs_f64();
        text += &match verdict {
            Verdict::Passed => format!("passed   {time:6.1} s  {name}\n"),
            Verdict::Failed { .. } => format!("FAILED   {time:6.1} s  {name}\n"),
            Verdict::Skipped(reason) => format!("skipped            {name}: {reason}\n"),
        };
    }
    let mut shortages = Vec::new();
    let mut failed = 0;
    for Outcome { name, verdict, .. } in outcomes {
        if let Verdict::Failed { commands, shortage } = verdict {
            failed += 1;
            commands.iter().for_each(|command| text += &format!("failed: {name}: {command}\n"));
            shortages.extend(shortage.filter(|shortage| !shortages.contains(shortage)));
        }
    }
    shortages.iter().for_each(|shortage| text += &format!("{}\n", shortage.advice()));
    let skipped = outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Skipped(_))).count();
    let made = outcomes.len() - skipped;
    let skipped = match skipped {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    let total = total.as_secs_f64();
    text += &match failed {
        0 => format!("all {made} checks passed in {total:.0} s{skipped}\n"),
        failed => format!("{failed} of {made} checks FAILED in {total:.0} s{skipped}\n"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::Shortage;

    #[test]
    fn the_slowest_is_first_and_failures_are_listed() {
        let outcome =
            |name: &str, verdict, ms| Outcome { name: name.to_owned(), verdict, time: Duration::from_millis(ms) };
        let skipped = || outcome("c", Verdict::Skipped("no emulator".to_owned()), 0);
        let failed = Verdict::Failed { commands: vec!["cargo b".to_owned()], shortage: Some(Shortage::Memory) };
        let all = [outcome("a", Verdict::Passed, 500), outcome("b", failed, 1500), skipped()];
        let expected = format!(
            "== time of each job\n\
             FAILED      1.5 s  b\n\
             passed      0.5 s  a\n\
             skipped            c: no emulator\n\
             failed: b: cargo b\n\
             {}\n\
             1 of 2 checks FAILED in 3 s, 1 skipped\n",
            Shortage::Memory.advice()
        );
        assert_eq!(of(&all, Duration::from_secs(3)), expected);
        let text = of(&[outcome("a", Verdict::Passed, 1), skipped()], Duration::from_secs(2));
        assert!(text.ends_with("all 1 checks passed in 2 s, 1 skipped\n"));
    }
}
