//! Reading Octez binary forms: big-endian numbers, fixed bytes, and blocks behind their 4-byte length
//! (`Data_encoding.Binary`).

/// Bytes that are not the binary form of what was to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{what} is cut off: {wanted} bytes wanted, {left} left")]
    Truncated { what: &'static str, wanted: usize, left: usize },
    #[error("{left} bytes follow the end of the {what}")]
    Trailing { what: &'static str, left: usize },
    #[error("{what} has no case {tag:#04x}")]
    UnknownTag { what: &'static str, tag: u8 },
    #[error("{what} is out of range: {value}")]
    OutOfRange { what: &'static str, value: i64 },
    #[error("{what} is not hexadecimal")]
    NotHex { what: &'static str },
}

/// The rest of some bytes, read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn bytes(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], DecodeError> {
        let cut_off = DecodeError::Truncated { what, wanted: count, left: self.rest.len() };
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let bytes = self.bytes(what, N)?;
        Ok(bytes.try_into().expect("as many bytes were taken as the array has"))
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// A signed 32-bit number that must not be negative: a level or a round.
    pub fn natural(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let value = i32::from_be_bytes(self.array(what)?);
        u32::try_from(value).map_err(|_| DecodeError::OutOfRange { what, value: value.into() })
    }

    pub fn i64(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    /// A block behind its length.
    pub fn sized(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let size = u32::from_be_bytes(self.array(what)?);
        self.bytes(what, usize::try_from(size).unwrap_or(usize::MAX))
    }

    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { what, left }),
        }
    }
}

/// Appends a block behind its length.
pub fn put_sized(bytes: &mut Vec<u8>, block: &[u8]) {
    let size = u32::try_from(block.len()).expect("blocks of the sandbox are far below 4 GiB");
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(block);
}

/// The bytes behind hexadecimal digits of either case.
pub fn from_hex(what: &'static str, text: &str) -> Result<Vec<u8>, DecodeError> {
    hex::decode(text).map_err(|_| DecodeError::NotHex { what })
}
