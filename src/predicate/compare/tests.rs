use std::cmp::Ordering;

use proptest::prelude::*;

use super::{INT_LIMIT, int_part, int_with_float};

#[test]
fn an_integer_and_a_float_compare_exactly() {
    use Ordering::{Equal, Greater, Less};
    for (int, float, expected) in [
        (0, 0.0, Equal),
        (0, -0.0, Equal),
        (1, 1.5, Less),
        (2, 1.5, Greater),
        (-1, -1.5, Greater),
        (-2, -1.5, Less),
        ((1 << 53) + 1, 9_007_199_254_740_992.0, Greater),
        ((1 << 53) - 1, 9_007_199_254_740_992.0, Less),
        (i128::MAX, INT_LIMIT, Less),
        (i128::MIN, -INT_LIMIT, Equal),
        (i128::MIN + 1, -INT_LIMIT, Greater),
        (i128::MAX, f64::MAX, Less),
        (i128::MIN, f64::MIN, Greater),
        (0, f64::MIN_POSITIVE, Less),
        (0, -f64::MIN_POSITIVE, Greater),
    ] {
        assert_eq!(int_with_float(int, float), expected, "{int} and {float}");
    }
}

proptest! {
    #[test]
    fn the_whole_part_of_a_float_is_exact(float in any::<f64>()) {
        if let Some(part) = int_part(float) {
            prop_assert_eq!(int_with_float(part, float.trunc()), Ordering::Equal);
            prop_assert_eq!(format!("{part}"), format!("{:.0}", float.trunc() + 0.0));
        } else {
            prop_assert!(!float.is_finite() || float.abs() >= INT_LIMIT);
        }
    }

    #[test]
    fn a_float_that_an_integer_rounds_to_is_never_further_than_its_neighbours(int in any::<i64>()) {
        #[expect(clippy::cast_precision_loss, reason = "the rounding is what is tested")]
        let float = int as f64;
        let int = i128::from(int);
        prop_assert_eq!(int_with_float(int, float.next_up()), Ordering::Less);
        prop_assert_eq!(int_with_float(int, float.next_down()), Ordering::Greater);
    }
}
