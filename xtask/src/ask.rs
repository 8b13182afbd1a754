//! Questions to a person at a terminal.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, Result, bail};

/// Returns whether a person reads our notes and can answer.
pub fn is_person_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question whose usual answer is yes.
///
/// # Errors
/// Returns an error if stdin ends.
pub fn yes(question: &str) -> Result<bool> {
    yes_from(&mut io::stdin().lock(), question)
}

fn yes_from(input: &mut impl BufRead, question: &str) -> Result<bool> {
    loop {
        match answer(input, &format!("{question} [Y/n] "))?.to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => eprintln!("Type y or n."),
        }
    }
}

/// Lets a person choose one of several things by its number. Returns the index.
///
/// # Errors
/// Returns an error if stdin ends.
pub fn choose(question: &str, choices: &[impl Display]) -> Result<usize> {
    choose_from(&mut io::stdin().lock(), question, choices)
}

fn choose_from(input: &mut impl BufRead, question: &str, choices: &[impl Display]) -> Result<usize> {
    for (number, choice) in (1..).zip(choices) {
        eprintln!("  {number}: {choice}");
    }
    loop {
        let number = answer(input, &format!("{question} [1-{}] ", choices.len()))?.parse::<usize>();
        match number {
            Ok(number) if (1..=choices.len()).contains(&number) => return Ok(number - 1),
            _ => eprintln!("Type a number from 1 to {}.", choices.len()),
        }
    }
}

fn answer(input: &mut impl BufRead, question: &str) -> Result<String> {
    crate::streams::note(format_args!("{question}"));
    let mut line = String::new();
    if input.read_line(&mut line).context("cannot read the answer")? == 0 {
        eprintln!();
        bail!("there is no answer: the input has ended");
    }
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_until_one_is_valid() {
        let yes = |typed: &str| yes_from(&mut typed.as_bytes(), "flash pico?");
        assert!(yes("\n").unwrap() && yes("Y\r\n").unwrap() && yes("maybe\nyes\n").unwrap());
        assert!(!yes("n\n").unwrap() && !yes("nope\nNO\n").unwrap());
        assert!(yes("").unwrap_err().to_string().contains("the input has ended"));
    }

    #[test]
    fn a_choice_is_a_number() {
        let choose = |typed: &str| choose_from(&mut typed.as_bytes(), "which?", &["a", "b"]);
        assert_eq!(choose("2\n").unwrap(), 1);
        assert_eq!(choose("0\n3\nb\n\n1\n").unwrap(), 0);
        assert!(choose("3\n").is_err());
    }
}
