//! Counts how many numbers were compared, and how many differ.

use firmware_example::println;

#[derive(Default)]
pub struct Tally {
    pub cases: u32,
    mismatches: u32,
}

impl Tally {
    /// Counts one number, or several that belong together.
    pub fn one(&mut self, equal: bool) {
        self.cases += 1;
        self.mismatches += u32::from(!equal);
    }

    /// Counts numbers of a kernel, compared with those of the definition.
    pub fn each<T: PartialEq>(&mut self, numbers: &[T], defined: &[T]) {
        self.cases += numbers.len() as u32;
        self.also(numbers, defined);
    }

    /// Compares like [`Self::each`], but does not count the numbers as cases.
    pub fn also<T: PartialEq>(&mut self, numbers: &[T], defined: &[T]) {
        self.mismatches += numbers.iter().zip(defined).filter(|(number, defined)| number != defined).count() as u32;
    }

    /// Prints both counts. Returns how many numbers differ.
    pub fn report(self, name: &str) -> u32 {
        println!("{name}_cases={}", self.cases);
        println!("{name}_mismatches={}", self.mismatches);
        self.mismatches
    }
}
