use crate::activation::Curve;

/// Destination of a kernel's rows.
#[derive(Debug)]
pub enum Out<'o> {
    /// Receives the requantized rows.
    Rows(&'o mut [i32]),
    /// Receives the curve's entry of each requantized row.
    Curve(&'o mut [i8], &'o Curve),
}

#[allow(clippy::len_without_is_empty, reason = "no caller needs it")]
impl Out<'_> {
    /// Returns the number of rows for which there is room.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(out) => out.len(),
            Self::Curve(out, _) => out.len(),
        }
    }

    /// Writes one requantized row, or its entry. Does nothing beyond the end.
    #[inline]
    pub fn set(&mut self, row: usize, sum: i32) {
        match self {
            Self::Rows(out) => out.get_mut(row).into_iter().for_each(|out| *out = sum),
            Self::Curve(out, curve) => out.get_mut(row).into_iter().for_each(|out| *out = curve.at(sum)),
        }
    }

    /// Returns the destination of the first `rows` rows, or an empty one if there are fewer.
    #[inline]
    pub fn first(self, rows: usize) -> Self {
        match self {
            Self::Rows(out) => Self::Rows(out.get_mut(..rows).unwrap_or(&mut [])),
            Self::Curve(out, curve) => Self::Curve(out.get_mut(..rows).unwrap_or(&mut []), curve),
        }
    }
}
