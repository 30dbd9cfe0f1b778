//! Floats as C's `%.16g` prints them, which is how Octez writes times and durations.

/// Sixteen significant digits, trailing zeros dropped, an exponent where C would use one. JSON has no word for what is not
/// finite; Octez never emits such, and `null` stands for it.
pub fn g16(value: f64) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    let scientific = format!("{value:.15e}");
    let (mantissa, exponent) =
        scientific.split_once('e').expect("the `e` format always has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent of a float is a small integer");
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(15 - exponent).expect("the exponent is below 16 here");
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::g16;

    #[test]
    fn numbers_are_printed_as_c_prints_them_with_sixteen_digits() {
        let cases = [
            (1_787_318_689.111_301, "1787318689.111301"),
            (1_787_318_689.5, "1787318689.5"),
            (1_787_318_689.0, "1787318689"),
            (1_787_318_689.000_001, "1787318689.000001"),
            (0.1, "0.1"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (1.0, "1"),
            (1e15, "1000000000000000"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (2.0 / 3.0, "0.6666666666666666"),
            (9_999_999_999_999_999.0, "1e+16"),
        ];
        for (value, wanted) in cases {
            assert_eq!(g16(value), wanted, "{value:?}");
        }
    }
}
