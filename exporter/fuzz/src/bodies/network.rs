//! Invents state dicts that are almost those of networks, and corrects the header length of files.

use arbitrary::{Result, Unstructured};

/// Makes a safetensors file with the tensors of a network, perhaps with an error in one or two places.
pub fn invent(bytes: &[u8]) -> Vec<u8> {
    let mut file = File::default();
    // If the bytes run out, the tensors so far are the file.
    let _ = network(&mut Unstructured::new(bytes), &mut file);
    file.bytes()
}

/// Header entries and values of a file.
#[derive(Default)]
struct File {
    entries: Vec<String>,
    data: Vec<u8>,
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        let header = format!("{{{}}}", self.entries.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &self.data].concat()
    }

    fn add(&mut self, u: &mut Unstructured<'_>, name: &str, shape: &[usize]) -> Result<()> {
        let mut shape = shape.to_vec();
        if u.ratio(1, 40)? {
            match u.int_in_range(0..=3)? {
                0 => return Ok(()),
                1 => shape.reverse(),
                2 => shape.push(u.int_in_range(0..=3)?),
                _ => shape[0] += 1,
            }
        }
        let dtype = *u.choose(&["F32", "F32", "F32", "F32", "F64", "F16", "BF16"])?;
        let dtype = if u.ratio(1, 40)? { "I64" } else { dtype };
        let (start, count) = (self.data.len(), shape.iter().product::<usize>());
        let seed: u8 = u.arbitrary()?;
        for index in 0..count {
            // Values from 0.1 to 2 are valid variances, and neighbours differ.
            let value = f32::from(seed ^ (index as u8).wrapping_mul(37)) / 128.0 + 0.1;
            match dtype {
                "F64" => self.data.extend(f64::from(value).to_le_bytes()),
                "F16" => self.data.extend(half::f16::from_f32(value).to_le_bytes()),
                "BF16" => self.data.extend(half::bf16::from_f32(value).to_le_bytes()),
                "I64" => self.data.extend(600_i64.to_le_bytes()),
                _ => self.data.extend(value.to_le_bytes()),
            }
        }
        // Changing a byte may make a number negative, large, or not a number.
        if u.ratio(1, 20)? && count > 0 {
            let at = start + u.choose_index(self.data.len() - start)?;
            self.data[at] = u.arbitrary()?;
        }
        let offsets = [start, self.data.len()];
        self.entries.push(format!(r#"{name:?}:{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":{offsets:?}}}"#));
        Ok(())
    }
}

/// Adds the tensors of a tree with tanh, with or without BatchNorm, its modules named in one of the usual ways.
fn network(u: &mut Unstructured<'_>, file: &mut File) -> Result<()> {
    let (vocab_size, n_embd) = (u.int_in_range(3..=8)?, u.int_in_range(1..=4)?);
    let (transposed, norms, biases) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    if u.ratio(1, 8)? {
        let vocab = *u.choose(&[".abcdefgh", ".ab", ".aa", "", "..ab\\n"])?;
        file.entries.push(format!(r#""__metadata__":{{"vocab":"{vocab}"}}"#));
    }
    // Returns the prefix of a module's tensors.
    let style = u.int_in_range(0..=3)?;
    let module = |kind: &str, place: usize| match style {
        0 => format!("{place}."),
        1 => format!("layers.{place}."),
        2 => format!("{kind}{place}."),
        _ => format!("blocks.{place}.{kind}."),
    };
    let embedding = ["0.weight", "layers.0.weight", "embedding.weight", "emb.weight"][style];
    file.add(u, embedding, &[vocab_size, n_embd])?;
    let (mut place, mut below) = (2, n_embd);
    let levels = u.int_in_range(1..=3)?;
    for level in 0..=levels {
        let (fuse, width) = (u.int_in_range(2..=4)?, u.int_in_range(1..=5)?);
        let last = level == levels;
        let (rows, columns) = if last { (vocab_size, below) } else { (width, fuse * below) };
        let linear = module("linear", place);
        file.add(u, &format!("{linear}weight"), &if transposed { [columns, rows] } else { [rows, columns] })?;
        if biases || last {
            file.add(u, &format!("{linear}bias"), &[rows])?;
        }
        if norms && !last {
            let norm = if style == 3 { module("bn", place) } else { module("bn", place + 1) };
            for part in ["weight", "bias", "running_mean", "running_var"] {
                file.add(u, &format!("{norm}{part}"), &[rows])?;
            }
        }
        (place, below) = (place + 4, width);
    }
    if u.ratio(1, 10)? {
        let names = ["extra", "W1", "b1", "bn.num_batches_tracked", "0.weight", "C", "", "é", "9.9.9.weight"];
        let name = *u.choose(&names)?;
        file.add(u, name, &[2, 3])?;
    }
    Ok(())
}

/// Sets the header length: the header ends at the last bracket before the first byte that is not text.
pub fn seal(bytes: &mut [u8]) {
    let Some((length, rest)) = bytes.split_first_chunk_mut::<8>() else { return };
    let text = rest.iter().position(|byte| !(b' '..0x7f).contains(byte)).unwrap_or(rest.len());
    let end = rest[..text].iter().rposition(|&byte| byte == b'}').map_or(0, |at| at + 1);
    *length = (end as u64).to_le_bytes();
}
