//! How many numbers were compared, and how many differ.

use firmware_example::println;

#[derive(Default)]
pub struct Tally {
    pub cases: u32,
    mismatches: u32,
}

impl Tally {
    /// One number, or some that belong together.
    pub fn one(&mut self, equal: bool) {
        self.cases += 1;
        self.mismatches += u32::from(!equal);
    }

    /// Numbers of a kernel and what they should be.
    pub fn each<T: PartialEq>(&mut self, numbers: &[T], defined: &[T]) {
        self.cases += numbers.len() as u32;
        self.also(numbers, defined);
    }

    /// As [`Self::each`], but they are no cases of their own.
    pub fn also<T: PartialEq>(&mut self, numbers: &[T], defined: &[T]) {
        self.mismatches += numbers.iter().zip(defined).filter(|(number, defined)| number != defined).count() as u32;
    }

    /// Prints both; how many differ.
    pub fn report(self, name: &str) -> u32 {
        println!("{name}_cases={}", self.cases);
        println!("{name}_mismatches={}", self.mismatches);
        self.mismatches
    }
}
