//! An estimate of the memory that a parsed document uses, made before parsing.

use crate::limits::MAX_DEPTH;

/// An object with its table and the slots of its first three members, in bytes.
const OBJECT: usize = 390;
/// A member after the third, in bytes: 104, in a list that doubles when it is full.
const MEMBER: usize = 260;
/// The name of a member, in bytes, without its text.
const NAME: usize = 32;
/// An array with the slots of its first four items, in bytes.
const ARRAY: usize = 304;
/// An item after the fourth, in bytes: 72, in a list that doubles when it is full.
const ITEM: usize = 144;
/// A string, or a number, which keeps its digits, without its text: the smallest block of the allocator, in bytes.
const TEXT: usize = 32;

/// An object or array whose end has not been read.
#[derive(Clone, Copy, Default)]
struct Container {
    /// Further members or items whose slots are counted already.
    spare: usize,
    /// The cost of each further one, in bytes.
    each: usize,
}

/// The memory that parsing a document uses, in bytes: an upper bound, computed in one pass without allocation.
/// Malformed JSON uses less, because its parse ends early.
///
/// Typical resources use 10 to 12 times their length; `{"a":1},…` 70 times, `[1],…` 110 times. The constants are those
/// of `serde_json`'s `Value` with `preserve_order` and `arbitrary_precision`.
#[must_use]
pub fn parsed_bytes(json: &[u8]) -> usize {
    let mut cost = json.len();
    let mut open = [Container::default(); MAX_DEPTH + 2];
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    let mut is_in_number = false;
    while let Some(byte) = bytes.next() {
        let is_number = matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let more = match byte {
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                // The commas before the second and third member, or the second to fourth item, cost nothing.
                let (whole, spare, each) = match byte {
                    b'{' => (OBJECT, 2, MEMBER),
                    _ => (ARRAY, 3, ITEM),
                };
                // The parser refuses a deeper document here, so the rest costs nothing.
                let Some(container) = open.get_mut(depth) else {
                    return cost;
                };
                *container = Container { spare, each };
                whole
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                0
            }
            b',' => match open.get_mut(depth) {
                Some(container) if container.spare > 0 => {
                    container.spare -= 1;
                    0
                }
                Some(container) => container.each,
                None => 0,
            },
            b':' => NAME,
            b'"' => {
                skip_string(&mut bytes);
                TEXT
            }
            _ if is_number && !is_in_number => TEXT,
            _ => 0,
        };
        cost = cost.saturating_add(more);
        is_in_number = is_number;
    }
    cost
}

/// Skips the rest of a string, with its closing quotation mark.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_strings_costs_its_bytes_only() {
        let text = r#""{[:,1\"{{{{""#;
        assert_eq!(parsed_bytes(text.as_bytes()), text.len() + TEXT);
        let numbers = br#"{"a":[12,-3.5e+7]}"#;
        assert_eq!(
            parsed_bytes(numbers),
            numbers.len() + OBJECT + NAME + ARRAY + 3 * TEXT
        );
    }

    #[test]
    fn items_after_the_first_four_cost_more() {
        let (few, many) = ("[1,1,1,1]", "[1,1,1,1,1,1]");
        let more = parsed_bytes(many.as_bytes()) - parsed_bytes(few.as_bytes());
        assert_eq!(more, 2 * (ITEM + TEXT + 2));
    }

    #[test]
    fn a_small_body_that_becomes_a_large_tree_is_recognized_before_parsing() {
        let objects = format!("[{}{{}}]", r#"{"a":1},"#.repeat(100_000));
        assert!(parsed_bytes(objects.as_bytes()) > 60 * objects.len());
        let deep = "[".repeat(1_000_000);
        assert!(parsed_bytes(deep.as_bytes()) < 2 * deep.len());
    }
}
