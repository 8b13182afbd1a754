//! Commands of the console.

/// Command in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// Draw words with this beginning.
    Draw(&'l str),
    /// Restart the random numbers from a seed.
    Seed(u64),
    /// Set the temperature, in thousandths.
    Temperature(u16),
    /// Draw from this number of most probable characters; 0 for all.
    TopK(u16),
    /// Set the number of words per line.
    Words(u16),
    /// Write a text of this many characters, with this beginning.
    Text(u32, &'l str),
    /// Print how probable a word is.
    Score(&'l str),
    /// Print the banner and the settings.
    Info,
    /// Measure the speed.
    Bench,
    /// Restart.
    Reset,
    /// Print the list of commands.
    Help,
    /// Panic, to test the handler.
    #[cfg(feature = "faults")]
    Panic,
    /// Cause a fault, to test the handler.
    #[cfg(feature = "faults")]
    Fault,
}

/// Reason why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'l> {
    /// The command is unknown.
    Unknown(&'l str),
    /// The argument does not suit the command: the command, and the arguments that it takes.
    Takes(&'l str, &'static str),
}

/// Commands with their descriptions, for `:help`.
pub const HELP: [(&str, &str); 11] = [
    ("ma", "names that begin with ma; an empty line: any names"),
    (":n 5", "names per line, 1 to 9999"),
    (":seed 42", "restarts the random numbers: same seed, same names"),
    (":temp 0.8", "temperature, 0 (always the likeliest) to 65.535"),
    (":topk 5", "only the 5 likeliest characters; 0: all"),
    (":text 500", "500 characters without a break; :text 500 ma begins with ma"),
    (":score emma", "how surprising a name is"),
    (":info", "model, board, memory, settings"),
    (":bench", "how fast it is"),
    (":reset", "restarts the board"),
    ("Ctrl-C", "cancels a line, stops names and text"),
];

/// Parses a line.
///
/// # Errors
/// Returns the part of the line that is not understood, and what would be.
pub fn parse(line: &str) -> Result<Command<'_>, Refusal<'_>> {
    let Some(command) = line.strip_prefix(':') else {
        return Ok(Command::Draw(line));
    };
    let command = command.trim_ascii();
    let (name, value) = split_at(command, b' ').unwrap_or((command, ""));
    let value = value.trim_ascii_start();
    let alone = |command| if value.is_empty() { Ok(command) } else { Err(Refusal::Takes(name, "nothing")) };
    match name {
        "n" => number(value)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (1..=9_999).contains(n))
            .map(Command::Words)
            .ok_or(Refusal::Takes(name, "a number from 1 to 9999, as in :n 5")),
        "seed" => number(value)
            .map(Command::Seed)
            .ok_or(Refusal::Takes(name, "a number from 0 to 18446744073709551615, as in :seed 42")),
        "temp" => thousandths(value)
            .map(Command::Temperature)
            .ok_or(Refusal::Takes(name, "a number from 0 to 65.535 with at most three decimals, as in :temp 0.8")),
        "topk" => number(value)
            .and_then(|k| u16::try_from(k).ok())
            .map(Command::TopK)
            .ok_or(Refusal::Takes(name, "a number from 0 to 65535, as in :topk 5")),
        "text" => {
            let (length, prompt) = split_at(value, b' ').unwrap_or((value, ""));
            number(length)
                .and_then(|length| u32::try_from(length).ok())
                .filter(|&length| length > 0)
                .map(|length| Command::Text(length, prompt))
                .ok_or(Refusal::Takes(name, "a number from 1 to 4294967295 and a beginning, as in :text 500 ma"))
        }
        "score" if value.is_empty() => Err(Refusal::Takes(name, "a name, as in :score emma")),
        "score" => Ok(Command::Score(value)),
        "info" => alone(Command::Info),
        "bench" => alone(Command::Bench),
        "reset" => alone(Command::Reset),
        "help" => alone(Command::Help),
        #[cfg(feature = "faults")]
        "panic" => alone(Command::Panic),
        #[cfg(feature = "faults")]
        "fault" => alone(Command::Fault),
        _ => Err(Refusal::Unknown(name)),
    }
}

/// Splits a text at the first occurrence of an ASCII sign. Smaller than `split_once`, which searches word by word.
fn split_at(text: &str, sign: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == sign)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Parses a whole number: only digits are allowed.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Parses a decimal fraction. Returns thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = split_at(text, b'.').unwrap_or((text, "0"));
    let decimals_in_thousandths = match decimals.len() {
        1 => number(decimals)? * 100,
        2 => number(decimals)? * 10,
        3 => number(decimals)?,
        _ => return None,
    };
    // ".5" is also valid.
    let whole = if whole.is_empty() && text.starts_with('.') { 0 } else { number(whole)? };
    u16::try_from(whole.checked_mul(1_000)?.checked_add(decimals_in_thousandths)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        for (line, command) in [
            ("", Command::Draw("")),
            ("ma", Command::Draw("ma")),
            (" ma", Command::Draw(" ma")),
            (":n 3", Command::Words(3)),
            (":  n   3  ", Command::Words(3)),
            (":seed 18446744073709551615", Command::Seed(u64::MAX)),
            (":temp 0", Command::Temperature(0)),
            (":temp 0.8", Command::Temperature(800)),
            (":temp .25", Command::Temperature(250)),
            (":temp 65.535", Command::Temperature(65_535)),
            (":topk 0", Command::TopK(0)),
            (":text 500", Command::Text(500, "")),
            (":text 500 ma", Command::Text(500, "ma")),
            (":text 4294967295 To be", Command::Text(u32::MAX, "To be")),
            (":score emma", Command::Score("emma")),
            (":reset", Command::Reset),
        ] {
            assert_eq!(parse(line), Ok(command), "{line:?}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for line in [
            ":n",
            ":n 0",
            ":n 10000",
            ":n -1",
            ":n 3 4",
            ":n x",
            ":seed",
            ":seed 18446744073709551616",
            ":seed +1",
            ":temp",
            ":temp 65.536",
            ":temp 1.",
            ":temp .",
            ":temp 0.1234",
            ":temp -1",
            ":temp 1e3",
            ":temp 1.+1",
            ":topk 65536",
            ":text",
            ":text 0",
            ":text 4294967296",
            ":text ma",
            ":score",
            ":info 1",
            ":temp 99999999999999999999",
            ":temp 18446744073709551615.0",
        ] {
            assert!(matches!(parse(line), Err(Refusal::Takes(..))), "{line:?}: {:?}", parse(line));
        }
        assert_eq!(parse(":frob 1"), Err(Refusal::Unknown("frob")));
        assert_eq!(parse(":"), Err(Refusal::Unknown("")));
    }
}
