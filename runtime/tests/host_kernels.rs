//! Compares the kernels of every vector unit of this machine with the oracle and with plain loops, bit by bit.

mod oracle;

use runtime::kernels::host::{STREAMS, Tile, VectorUnit};

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }
}

#[test]
fn the_best_unit_is_the_first_and_portable_code_the_last() {
    let names: Vec<&str> = VectorUnit::available().map(VectorUnit::name).collect();
    assert_eq!(names.first(), Some(&VectorUnit::best().name()));
    assert_eq!(names.last(), Some(&"portable"));
    println!("{names:?}");
    // Every AArch64 has NEON.
    assert_eq!(names[0] == "neon", cfg!(kernel = "neon"));
    // Names the unit that must be found. Without it, the test could silently run portable code only.
    if let Ok(name) = std::env::var("VECTOR_UNIT") {
        assert_eq!(names[0], name, "the best unit of this machine");
    }
}

/// A unit that is not found would be replaced by the next best one, unnoticed.
#[test]
#[cfg(kernel = "x86")]
fn every_unit_of_this_machine_is_found() {
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    let units = [(avx512, "avx512-vnni"), (is_x86_feature_detected!("avx2"), "avx2"), (true, "portable")];
    let expected: Vec<&str> = units.into_iter().filter_map(|(found, name)| found.then_some(name)).collect();
    assert_eq!(VectorUnit::available().map(VectorUnit::name).collect::<Vec<_>>(), expected);
}

#[cfg(feature = "int8")]
mod integer {
    use runtime::activation::{Curve, TANH};
    use runtime::kernels::Out;
    use runtime::kernels::host::{Bias, BlockScaling, Table};
    use runtime::kernels::routine::portable;
    use runtime::kernels::routine::softmax;
    use runtime::quant::ACC_LIMIT;

    use super::*;

    /// Returns weights or inputs of a pattern: random, or extremes that saturate if sums of two or four products can.
    fn draw(random: &mut Random, pattern: usize, index: usize, lowest: i8, highest: i8) -> i8 {
        match pattern {
            0 => highest,
            1 => lowest,
            2 => [highest, lowest][index % 2],
            3 => [highest, highest, lowest, lowest][index % 4],
            4 => 0,
            _ => (i32::from(lowest) + random.below((i32::from(highest) - i32::from(lowest) + 1) as usize) as i32) as i8,
        }
    }

    struct Case {
        x: Vec<i8>,
        /// Weights, `[rows][x.len()]`.
        weights: Vec<i8>,
        bias: Vec<i32>,
        multiplier: Vec<i32>,
    }

    impl Case {
        fn new(random: &mut Random, rows: usize, columns: usize, patterns: [usize; 2], limit: i8) -> Self {
            let lowest = if limit == 7 { -8 } else { -limit };
            let x = (0..columns).map(|index| draw(random, patterns[0], index, -128, 127)).collect();
            let weights: Vec<i8> =
                (0..rows * columns).map(|index| draw(random, patterns[1], index, lowest, limit)).collect();
            let magnitude = |row: usize| -> i32 {
                let weights = &weights[row * columns..][..columns];
                weights.iter().map(|weight| 128 * i32::from(weight.unsigned_abs())).sum()
            };
            let bias = (0..rows)
                .map(|row| {
                    // Up to the largest bias that the loader accepts, or 0 next to sums that it would refuse.
                    let room = (ACC_LIMIT - 1 - magnitude(row)).max(0);
                    [room, -room, (random.next() as i32 >> 8) % (room + 1)][random.below(3)]
                })
                .collect();
            let multiplier = (0..rows)
                .map(|row| match row % 9 {
                    // Some multipliers that do not change the sum, and both ends of the range.
                    0 | 3 | 6 => 1 << 24,
                    1 => [0, 1, i32::MAX - 1, i32::MAX][random.below(4)],
                    _ => (random.next() >> (1 + row % 20)) as i32,
                })
                .collect();
            Self { x, weights, bias, multiplier }
        }

        fn expected(&self) -> Vec<i32> {
            let weights = |row: usize| &self.weights[row * self.x.len()..][..self.x.len()];
            (0..self.bias.len())
                .map(|row| oracle::row(self.bias[row], weights(row), &self.x, self.multiplier[row]))
                .collect()
        }

        fn shifted(&self) -> Vec<i32> {
            let sum = |row: usize| {
                let weights = &self.weights[row * self.x.len()..][..self.x.len()];
                weights.iter().map(|&weight| i32::from(weight)).sum::<i32>()
            };
            self.bias.iter().enumerate().map(|(row, bias)| bias - 128 * sum(row)).collect()
        }

        fn check(&self, unit: VectorUnit) {
            let shifted = self.shifted();
            let bias = Bias { plain: &self.bias, shifted: &shifted };
            let mut out = vec![i32::MAX; self.bias.len()];
            unit.rows_i8(&self.weights, &self.x, bias, &self.multiplier, Out::Rows(&mut out));
            let mut tanh = vec![99; self.bias.len()];
            unit.rows_i8(&self.weights, &self.x, bias, &self.multiplier, Out::Curve(&mut tanh, &TANH));
            self.compare(unit, &out, &tanh);
        }

        /// Returns the weights in four bits, two to a byte, each row a whole number of bytes.
        #[cfg(feature = "int4")]
        fn packed(&self) -> Vec<u8> {
            let pack = |pair: &[i8]| pair[0] as u8 & 15 | pair.get(1).map_or(0, |&high| (high as u8) << 4);
            let rows = self.weights.chunks(self.x.len().max(1));
            rows.flat_map(|row| row.chunks(2).map(pack)).collect()
        }

        #[cfg(feature = "int4")]
        fn check_i4(&self, unit: VectorUnit) {
            let packed = self.packed();
            let mut out = vec![i32::MAX; self.bias.len()];
            unit.rows_i4(&packed, &self.x, &self.bias, &self.multiplier, Out::Rows(&mut out));
            let mut tanh = vec![99; self.bias.len()];
            unit.rows_i4(&packed, &self.x, &self.bias, &self.multiplier, Out::Curve(&mut tanh, &TANH));
            self.compare(unit, &out, &tanh);
        }

        fn compare(&self, unit: VectorUnit, out: &[i32], tanh: &[i8]) {
            let (rows, columns) = (self.bias.len(), self.x.len());
            // Without columns there are no rows of weights, and nothing is written.
            let expected = if columns == 0 { vec![i32::MAX; rows] } else { self.expected() };
            assert_eq!(out, expected, "{}, {rows} rows, {columns} columns", unit.name());
            let expected: Vec<i8> =
                if columns == 0 { vec![99; rows] } else { expected.into_iter().map(oracle::tanh).collect() };
            assert_eq!(tanh, expected, "{}, {rows} rows, {columns} columns", unit.name());
        }
    }

    /// Calls `each` with rows of every length, and with every number of rows around the blocks of the kernels.
    fn cases(limit: i8, mut each: impl FnMut(&Case)) {
        let random = &mut Random(1);
        for columns in 0..=300 {
            for patterns in [[0, 0], [1, 0], [0, 1], [1, 1], [2, 2], [3, 2], [2, 3], [4, 5], [5, 4], [5, 5], [5, 5]] {
                let rows = 1 + random.below(70);
                each(&Case::new(random, rows, columns, patterns, limit));
            }
        }
        for rows in 1..=70 {
            each(&Case::new(random, rows, 65, [5, 5], limit));
        }
        // 10,000 random vectors.
        for _ in 0..1_000 {
            let columns = random.below(300);
            each(&Case::new(random, 27, columns, [5, 5], limit));
        }
    }

    /// All values and gates, at every length and place.
    #[test]
    fn gates() {
        let pairs: Vec<[i8; 2]> = (-127..=127).flat_map(|value| (-127..=127).map(move |gate| [value, gate])).collect();
        let values: Vec<i8> = pairs.iter().map(|pair| pair[0]).collect();
        let gates: Vec<i8> = pairs.iter().map(|pair| pair[1]).collect();
        let expected: Vec<i8> = pairs.iter().map(|&[value, other]| oracle::gate(value, other)).collect();
        let all = |run: &dyn Fn(&mut [i8], &[i8]), name: &str| {
            let mut out = values.clone();
            run(&mut out, &gates);
            assert!(out == expected, "{name}");
            for len in 0..=300 {
                for start in 0..if len <= 100 { 40 } else { 4 } {
                    let at = 211 * len + start;
                    let mut out = values[at..at + len + 40].to_vec();
                    run(&mut out[..len], &gates[at..]);
                    assert_eq!(out[..len], expected[at..at + len], "{name}, {len} from {start}");
                    assert_eq!(out[len..], values[at + len..at + len + 40], "{name}, after {len}");
                    // The number of gates limits the values.
                    let mut out = values[at..at + len + 40].to_vec();
                    run(&mut out, &gates[at..at + len]);
                    assert_eq!(out[..len], expected[at..at + len], "{name}, {len} from {start}");
                    assert_eq!(out[len..], values[at + len..at + len + 40], "{name}, after {len}");
                }
            }
        };
        all(&runtime::kernels::routine::portable::gate_i8, "definition");
        all(&runtime::kernels::routine::gate_dsp::gate_i8, "dsp");
        for unit in VectorUnit::available() {
            all(&|values, gates| unit.gate_i8(values, gates), unit.name());
        }
    }

    #[test]
    fn rows_of_eight_bits_are_exact() {
        cases(127, |case| VectorUnit::available().for_each(|unit| case.check(unit)));
    }

    #[test]
    #[cfg(feature = "int4")]
    fn rows_of_four_bits_are_exact() {
        cases(7, |case| VectorUnit::available().for_each(|unit| case.check_i4(unit)));
    }

    /// Buffer at the end of mapped memory: a signal ends a program that reads more than 8 bytes beyond the end.
    #[cfg(all(feature = "int4", target_os = "linux", target_env = "gnu"))]
    struct LastOfMemory<T>(Vec<T>);

    #[cfg(all(feature = "int4", target_os = "linux", target_env = "gnu"))]
    impl<T: Copy + Default> LastOfMemory<T> {
        /// Large blocks have pages of their own, the second block at a lower address than the first. When the first is
        /// freed, nothing is mapped after the second. Returns `None` if the allocator does otherwise.
        fn new() -> Option<Self> {
            // Larger each time: a block that is not larger than a freed one may get no pages of its own.
            (18..24).find_map(|log2| {
                let room = || vec![T::default(); ((1 << log2) - 24) / size_of::<T>()];
                let (first, second) = (room(), room());
                drop(first);
                let end = second.as_ptr_range().end.addr() + 8;
                let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
                let is = |edge: &str| usize::from_str_radix(edge, 16) == Ok(end);
                let regions = || maps.lines().filter_map(|line| line.split(' ').next()?.split_once('-'));
                (regions().any(|(_, behind)| is(behind)) && !regions().any(|(start, _)| is(start)))
                    .then_some(Self(second))
            })
        }

        fn put(&mut self, values: &[T]) -> &mut [T] {
            let start = self.0.len() - values.len();
            self.0[start..].copy_from_slice(values);
            &mut self.0[start..]
        }
    }

    /// No result would show such a read, because values beyond the columns are multiplied by zero.
    #[test]
    #[cfg(all(feature = "int4", target_os = "linux", target_env = "gnu"))]
    fn nothing_is_read_beyond_what_is_given() {
        let (Some(mut weights), Some(mut packed), Some(mut x), Some(mut out)) =
            (LastOfMemory::new(), LastOfMemory::new(), LastOfMemory::new(), LastOfMemory::new())
        else {
            println!("no room was found");
            return;
        };
        cases(7, |case| {
            let (weights, packed, x) = (weights.put(&case.weights), packed.put(&case.packed()), x.put(&case.x));
            let (bias, multiplier, shifted) = (&case.bias, &case.multiplier, &case.shifted());
            let nothing = vec![i32::MAX; case.bias.len()];
            let expected = if case.x.is_empty() { nothing.clone() } else { case.expected() };
            for unit in VectorUnit::available() {
                let out = out.put(&nothing);
                unit.rows_i8(weights, x, Bias { plain: bias, shifted }, multiplier, Out::Rows(out));
                assert_eq!(out, expected, "{}", unit.name());
                out.copy_from_slice(&nothing);
                unit.rows_i4(packed, x, bias, multiplier, Out::Rows(out));
                assert_eq!(out, expected, "{}", unit.name());
            }
        });
    }

    #[test]
    fn shapes_that_do_not_match_leave_the_rest_alone() {
        let random = &mut Random(2);
        let case = Case::new(random, 40, 70, [5, 5], 127);
        let (expected, shifted) = (case.expected(), case.shifted());
        for unit in VectorUnit::available() {
            for rows in 0..40 {
                for short in 0..4 {
                    let cut = |which: usize, len: usize| if short == which { rows * len } else { 40 * len };
                    let mut out = [7; 45];
                    // An incomplete row of weights does not count.
                    let part = if short == 0 { 69 } else { 0 };
                    let weights = &case.weights[..cut(0, 70) + part];
                    let bias = Bias { plain: &case.bias[..cut(1, 1)], shifted: &shifted[..cut(1, 1)] };
                    let multiplier = &case.multiplier[..cut(2, 1)];
                    let end = cut(3, 1);
                    unit.rows_i8(weights, &case.x, bias, multiplier, Out::Rows(&mut out[..end]));
                    assert_eq!(out[..rows], expected[..rows], "{}", unit.name());
                    assert!(out[rows..].iter().all(|&value| value == 7), "{}", unit.name());
                }
            }
        }
    }

    #[test]
    #[cfg(feature = "int4")]
    fn shapes_of_four_bits_that_do_not_match_leave_the_rest_alone() {
        let random = &mut Random(9);
        // 63 bytes of weights per row.
        let case = Case::new(random, 40, 125, [5, 5], 7);
        let (expected, packed) = (case.expected(), case.packed());
        for unit in VectorUnit::available() {
            for rows in 0..40 {
                for short in 0..4 {
                    let cut = |which: usize| if short == which { rows } else { 40 };
                    let part = if short == 0 { 62 } else { 0 };
                    let (weights, bias) = (&packed[..63 * cut(0) + part], &case.bias[..cut(1)]);
                    let mut out = [7; 45];
                    unit.rows_i4(weights, &case.x, bias, &case.multiplier[..cut(2)], Out::Rows(&mut out[..cut(3)]));
                    assert_eq!(out[..rows], expected[..rows], "{}", unit.name());
                    assert!(out[rows..].iter().all(|&value| value == 7), "{}", unit.name());
                }
            }
        }
    }

    /// A length that is too small would leave rows to portable code, unnoticed: it tells a kernel how many rows it may
    /// write.
    #[test]
    fn an_output_has_room_for_as_many_rows_as_it_holds() {
        for len in 0..10 {
            assert_eq!(Out::Rows(&mut [0; 10][..len]).len(), len);
            assert_eq!(Out::Curve(&mut [0; 10][..len], &TANH).len(), len);
        }
    }

    #[test]
    fn tanh_is_the_same_for_every_value_and_length() {
        let mut values: Vec<i32> = (-600..=600).collect();
        values.extend([i32::MIN, i32::MIN + 1, i32::MAX, -(1 << 30), 1 << 30]);
        for unit in VectorUnit::available() {
            for start in 0..40 {
                let mut out = vec![99; values.len() - start + 3];
                unit.curve_i8(&TANH, &values[start..], &mut out);
                let expected: Vec<i8> = values[start..].iter().map(|&value| oracle::tanh(value)).collect();
                assert_eq!(out[..expected.len()], expected, "{}", unit.name());
                assert_eq!(out[expected.len()..], [99; 3]);
            }
            for len in 0..=300 {
                let mut out = [99; 303];
                unit.curve_i8(&TANH, &values[len..], &mut out[..len]);
                assert!(out[..len].iter().zip(&values[len..]).all(|(&out, &value)| out == oracle::tanh(value)));
                assert_eq!(out[len..][..3], [99; 3], "{}, after {len}", unit.name());
            }
        }
    }

    /// A curve that no model has, in which neighbouring entries always differ.
    #[test]
    fn entries_are_those_of_the_curve() {
        let curve = Curve(core::array::from_fn(|at| (at * 37 % 255) as i8));
        let values: Vec<i32> = (-320..320).chain([i32::MIN, i32::MAX, 1 << 20, -(1 << 20)]).collect();
        let expected: Vec<i8> = values.iter().map(|&value| curve.0[value.clamp(-256, 255) as usize & 511]).collect();
        let multiplier = vec![1 << 24; values.len()];
        for unit in VectorUnit::available() {
            let mut out = vec![99; values.len()];
            unit.curve_i8(&curve, &values, &mut out);
            assert_eq!(out, expected, "{}", unit.name());
            // As the last step of a layer whose sums are the biases.
            let small: Vec<i32> = values.iter().map(|&value| value.clamp(1 - ACC_LIMIT, ACC_LIMIT - 1)).collect();
            let bias = Bias { plain: &small, shifted: &small };
            let mut out = vec![99; values.len()];
            unit.rows_i8(&vec![0; 64 * values.len()], &[1; 64], bias, &multiplier, Out::Curve(&mut out, &curve));
            assert_eq!(out, expected, "{}", unit.name());
            for (values, expected) in values.chunks_exact(8 * STREAMS).zip(expected.chunks_exact(8 * STREAMS)) {
                let tile = |row: usize| Tile(core::array::from_fn(|stream| values[row * STREAMS + stream]));
                let mut out = [Tile([0; STREAMS]); 2];
                unit.curve_tile_i8(&curve, &core::array::from_fn(tile), &mut out);
                for (at, &expected) in expected.iter().enumerate() {
                    let (row, stream) = (at / STREAMS, at % STREAMS);
                    let entry = out[row / 4].0[stream].to_le_bytes()[row % 4] as i8;
                    assert_eq!(entry, expected, "{}, row {row}, stream {stream}", unit.name());
                }
            }
        }
    }

    #[test]
    fn weights_are_the_same_at_every_temperature() {
        let random = &mut Random(6);
        for case in 0..20_000 {
            let shift = random.below(31);
            let mut logits: Vec<i32> = (0..case % 257).map(|_| random.next() as i32 >> shift).collect();
            if case % 7 == 0 && !logits.is_empty() {
                let (len, at) = (logits.len(), random.below(300));
                logits[at % len] = i32::MIN;
                logits[(at + 1) % len] = i32::MAX;
            }
            check_weights(&logits, (random.next() >> 16 >> random.below(17)) as u16);
        }
        // Every exponent up to the largest that has a weight.
        for first in 0..40_000 {
            check_weights(&core::array::from_fn::<_, 16, _>(|at| -(15 * first * (at > 0) as i32 + at as i32)), 1_000);
        }
    }

    fn check_weights(logits: &[i32], temperature_milli: u16) {
        let mut expected = logits.to_vec();
        let total = softmax::weigh(&mut expected, temperature_milli);
        for unit in VectorUnit::available() {
            let mut weights = logits.to_vec();
            assert_eq!(unit.weigh(&mut weights, temperature_milli), total, "{}", unit.name());
            assert_eq!(weights, expected, "{}, temperature {temperature_milli}", unit.name());
        }
    }

    #[test]
    fn tables_are_added_up() {
        let random = &mut Random(3);
        for rows in 1..=300 {
            let (vocab_size, fuse) = (3 + random.below(9), 1 + random.below(4));
            let entries: Vec<i8> = (0..fuse * vocab_size * rows).map(|_| draw(random, 5, 0, -127, 127)).collect();
            let Case { bias, multiplier, .. } = Case::new(random, rows, 0, [5, 5], 127);
            // One of the tokens may be outside the table's last position; it adds nothing.
            let tokens: Vec<u8> = (0..fuse).map(|_| random.below(vocab_size) as u8).collect();
            let at = |position: usize| (position * vocab_size + usize::from(tokens[position])) * rows;
            let start = random.below(rows);
            let expected: Vec<i32> = (start..rows)
                .map(|row| {
                    let column: Vec<i8> = (0..fuse).map(|position| entries[at(position) + row]).collect();
                    oracle::row(bias[row], &column, &[1; 4][..fuse], multiplier[row])
                })
                .collect();
            for unit in VectorUnit::available() {
                let table = Table { entries: &entries, vocab_size, rows, start };
                let mut out = vec![0; rows - start];
                unit.look_up(table, &tokens, &bias[start..], &multiplier[start..], Out::Rows(&mut out));
                assert_eq!(out, expected, "{}, {rows} rows from {start} on", unit.name());
                let mut out = vec![99; rows - start];
                unit.look_up(table, &tokens, &bias[start..], &multiplier[start..], Out::Curve(&mut out, &TANH));
                assert!(out.iter().zip(&expected).all(|(&out, &row)| out == oracle::tanh(row)), "{}", unit.name());
            }
        }
    }

    /// Compares level 1 of two pairs by its definition with the routine that this core uses. The routine writes whole
    /// blocks of four rows.
    #[test]
    fn halves_of_sums() {
        let random = &mut Random(9);
        let largest = 2 * ACC_LIMIT - 1;
        for rows in (0..=120).step_by(4) {
            for patterns in 0..4 {
                let mut below = |limit: i32| random.below(limit as usize) as i32;
                let halves = |at: usize| {
                    let older = [0, largest - 1, at as i32, below(largest)][patterns];
                    let newer = [largest - older, 1, 1 + below(largest - older)][below(3) as usize];
                    (older, newer)
                };
                let (older, newer): (Vec<i32>, Vec<i32>) = (0..rows).map(halves).unzip();
                let Case { multiplier, .. } = Case::new(random, rows, 0, [5, 5], 127);
                let packed = |numbers: &[i32]| -> Vec<u32> {
                    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()[..3].to_vec()).collect();
                    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
                };
                let sum = |row: usize| older[row] + newer[row] - ACC_LIMIT;
                let expected = |row: usize| oracle::tanh(oracle::row(sum(row), &[], &[], multiplier[row]));
                let expected: Vec<i8> = (0..rows).map(expected).collect();
                for run in [portable::add_halves, runtime::kernels::add_halves] {
                    let mut out = vec![99; rows + 4];
                    run(&packed(&older), &packed(&newer), &multiplier, &TANH, &mut out);
                    assert_eq!(out[..rows], expected, "{rows} rows");
                    assert_eq!(out[rows..], [99; 4], "after {rows} rows");
                }
            }
        }
    }

    /// Compares level 0 of two characters by its definition with the routine that this core uses.
    #[test]
    fn a_table_of_pairs() {
        let random = &mut Random(8);
        for rows in 0..=300 {
            for patterns in [0, 1, 5] {
                let mut entries = || (0..rows).map(|at| draw(random, patterns, at, -127, 127)).collect::<Vec<i8>>();
                let [older, newer] = [entries(), entries()];
                let Case { bias, multiplier, .. } = Case::new(random, rows, 0, [5, 5], 127);
                let bias: Vec<i32> = bias.iter().map(|&bias| bias.clamp(254 - ACC_LIMIT, ACC_LIMIT - 254)).collect();
                let expected = |row: usize| {
                    oracle::tanh(oracle::row(bias[row], &[older[row], newer[row]], &[1, 1], multiplier[row]))
                };
                let expected: Vec<i8> = (0..rows).map(expected).collect();
                for run in [portable::look_up_pair, runtime::kernels::look_up_pair] {
                    let mut out = vec![99; rows];
                    run(&bias, &multiplier, [&older, &newer], &TANH, &mut out);
                    assert_eq!(out, expected, "{rows} rows");
                }
            }
        }
    }

    #[test]
    fn tiles_are_rows_for_many() {
        let random = &mut Random(4);
        for words in (0..=80).chain([128, 200]) {
            for patterns in [[0, 0], [1, 0], [0, 1], [2, 2], [5, 5], [5, 5]] {
                let columns = 4 * words;
                let streams: Vec<Case> = (0..STREAMS).map(|_| Case::new(random, 8, columns, patterns, 127)).collect();
                // All streams have the weights of the first.
                let Case { weights, bias, multiplier, .. } = &streams[0];
                let word = |values: &[i8]| u32::from_le_bytes([0, 1, 2, 3].map(|at| values[at] as u8));
                let packed: Vec<[u32; 8]> =
                    (0..words).map(|at| core::array::from_fn(|row| word(&weights[row * columns + 4 * at..]))).collect();
                let sum = |row: usize| weights[row * columns..][..columns].iter().map(|&w| i32::from(w)).sum();
                let scaling = BlockScaling {
                    bias: bias.as_slice().try_into().unwrap(),
                    sum: core::array::from_fn(sum),
                    multiplier: multiplier.as_slice().try_into().unwrap(),
                };
                let x: Vec<Tile<u32>> =
                    (0..words).map(|at| Tile(core::array::from_fn(|s| word(&streams[s].x[4 * at..])))).collect();
                for unit in VectorUnit::available() {
                    let mut out = [Tile([0; STREAMS]); 8];
                    unit.tile_i8(&packed, &scaling, &x, &mut out);
                    let mut activations = [Tile([0; STREAMS]); 2];
                    unit.curve_tile_i8(&TANH, &out, &mut activations);
                    for (stream, Case { x, .. }) in streams.iter().enumerate() {
                        let (weights, bias, multiplier) = (weights.clone(), bias.clone(), multiplier.clone());
                        let expected = Case { x: x.clone(), weights, bias, multiplier }.expected();
                        for (row, &expected) in expected.iter().enumerate() {
                            assert_eq!(out[row].0[stream], expected, "{}, {columns} columns", unit.name());
                            let activation = activations[row / 4].0[stream].to_le_bytes()[row % 4] as i8;
                            assert_eq!(activation, oracle::tanh(expected), "{}", unit.name());
                        }
                    }
                }
            }
        }
    }
}

#[cfg(feature = "f32")]
mod float {
    use runtime::activation::Activation;
    use runtime::kernels::routine::portable;
    use runtime::kernels::{self, rows8_index};
    use runtime::math::{TANH_MAX_ERROR, tanh};
    use runtime::rows::{LANES, padded};

    use super::*;

    impl Random {
        /// Returns a number of one of very different sizes, so that the order of a sum matters.
        fn float(&mut self) -> f32 {
            (self.next() as i32 as f32 / 2_147_483_648.0) * [1.0, 1e-3, 1e3][self.below(3)]
        }

        fn floats(&mut self, len: usize) -> Vec<f32> {
            (0..len).map(|_| self.float()).collect()
        }
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// Sums that grow, and sums that nearly cancel, of every length.
    #[test]
    fn sums_are_as_near_the_oracle_as_single_precision_can_be() {
        let random = &mut Random(7);
        let mut worst = 0.0_f64;
        for columns in 1..=300 {
            for cancel in [false, true] {
                let rows = LANES * (1 + random.below(5));
                let mut weights = random.floats(rows * columns);
                let (bias, mut x) = (random.floats(rows), random.floats(columns));
                if cancel {
                    // Every second column subtracts what the column before has added.
                    x.as_chunks_mut::<2>().0.iter_mut().for_each(|[first, second]| *second = -*first);
                    for row in 0..rows {
                        for column in (1..columns).step_by(2) {
                            weights[rows8_index(row, column, columns)] = weights[rows8_index(row, column - 1, columns)];
                        }
                    }
                }
                let mut check = |y: &[f32], name: &str| {
                    for (row, &y) in y.iter().enumerate() {
                        let weight = |column| weights[rows8_index(row, column, columns)];
                        let products = x.iter().enumerate().map(|(column, &x)| (weight(column), x));
                        let (exact, bound) = oracle::row_f32(bias[row], products);
                        let error = (f64::from(y) - exact).abs();
                        assert!(error <= bound, "{name}, {columns} columns, row {row}: {y}, not {exact}");
                        worst = worst.max(error / bound);
                    }
                };
                let mut y = vec![0.0; rows];
                kernels::vec_mat_f32(&weights, &bias, &x, &mut y);
                check(&y, "this core");
                for unit in VectorUnit::available() {
                    let mut y = vec![0.0; rows];
                    unit.vec_mat_f32(&weights, &bias, &x, &mut y);
                    check(&y, unit.name());
                }
            }
        }
        assert!(worst > 0.2, "the bound is slack: {worst} of it");
    }

    #[test]
    fn matrices_are_the_same_bit_by_bit() {
        let random = &mut Random(5);
        for rows in 1..=140 {
            // All lengths up to 300 occur in turn.
            for columns in [0, 1, 2, 3, 8, 27, 48, 100].into_iter().chain((rows..=300).step_by(140)) {
                let weights = random.floats(padded(rows) * columns);
                let (bias, x) = (random.floats(padded(rows)), random.floats(columns));
                let mut expected = vec![5.0; padded(rows)];
                portable::vec_mat_f32(&weights, &bias, &x, &mut expected);
                for unit in VectorUnit::available() {
                    let mut y = vec![5.0; padded(rows)];
                    unit.vec_mat_f32(&weights, &bias, &x, &mut y);
                    assert_eq!(bits(&y), bits(&expected), "{}, {rows} rows, {columns} columns", unit.name());
                    // A shorter result is the beginning of the whole result.
                    let mut y = vec![5.0; padded(rows) / 2];
                    unit.vec_mat_f32(&weights, &bias, &x, &mut y);
                    let whole = y.len() / LANES * LANES;
                    assert_eq!(bits(&y[..whole]), bits(&expected[..whole]), "{}", unit.name());
                    // So is the result for fewer weights, where the last weights are part of a block.
                    let part = weights.len() / 2 / (LANES * columns.max(1)) * LANES;
                    let mut y = vec![5.0; padded(rows)];
                    unit.vec_mat_f32(&weights[..weights.len() / 2], &bias, &x, &mut y);
                    assert_eq!(bits(&y[..part]), bits(&expected[..part]), "{}", unit.name());
                    assert!(y[part..].iter().all(|&y| y == 5.0), "{}, {rows} rows", unit.name());
                }
            }
        }
    }

    #[test]
    fn tanh_is_the_same_bit_by_bit() {
        let mut values: Vec<f32> = (0..=u32::MAX).step_by(40_009).map(f32::from_bits).collect();
        values.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 9.01, -9.01]);
        let expected: Vec<f32> = values.iter().map(|&value| tanh(value)).collect();
        for (&value, &expected) in values.iter().zip(&expected).filter(|(value, _)| !value.is_nan()) {
            let error = (f64::from(expected) - f64::from(value).tanh()).abs();
            assert!(error <= f64::from(TANH_MAX_ERROR), "tanh({value}): {expected}");
        }
        for unit in VectorUnit::available() {
            for start in 0..20 {
                let mut y = values[start..].to_vec();
                unit.activate_f32(Activation::Tanh, &mut y);
                assert_eq!(bits(&y), bits(&expected[start..]), "{}", unit.name());
            }
            for &activation in Activation::ALL {
                let (mut y, mut defined) = (values.clone(), values.clone());
                unit.activate_f32(activation, &mut y);
                activation.apply_f32(&mut defined);
                assert_eq!(bits(&y), bits(&defined), "{}, {}", unit.name(), activation.name());
            }
            for len in 0..=300 {
                let mut y = values[len..][..len + 3].to_vec();
                unit.activate_f32(Activation::Tanh, &mut y[..len]);
                assert_eq!(bits(&y[..len]), bits(&expected[len..][..len]), "{}", unit.name());
                assert_eq!(bits(&y[len..]), bits(&values[2 * len..][..3]), "{}, after {len}", unit.name());
            }
        }
    }

    #[test]
    fn tiles_are_rows_for_many() {
        let random = &mut Random(6);
        for columns in 0..=300 {
            let weights = random.floats(LANES * columns);
            let bias: [f32; LANES] = random.floats(LANES).try_into().unwrap();
            let x: Vec<Tile<f32>> = (0..columns).map(|_| Tile(random.floats(STREAMS).try_into().unwrap())).collect();
            for unit in VectorUnit::available() {
                let mut out = [Tile([0.0; STREAMS]); LANES];
                unit.tile_f32(weights.as_chunks().0, &bias, &x, &mut out);
                for stream in 0..STREAMS {
                    let x: Vec<f32> = x.iter().map(|x| x.0[stream]).collect();
                    let mut expected = bias;
                    portable::vec_mat_f32(&weights, &bias, &x, &mut expected);
                    if columns == 0 {
                        expected = bias;
                    }
                    let got: Vec<f32> = out.iter().map(|out| out.0[stream]).collect();
                    assert_eq!(bits(&got), bits(&expected), "{}, {columns} columns", unit.name());
                }
            }
        }
    }
}
