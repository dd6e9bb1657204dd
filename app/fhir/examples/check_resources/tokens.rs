//! JSON texts as lists of tokens, without the parser of the crate: numbers as they are written, strings
//! unescaped, members in their order.

/// Whether two resources have the same value, apart from the elements that the server assigns.
pub(crate) fn same_resource(sent: &[u8], returned: &[u8]) -> bool {
    let sent = std::str::from_utf8(sent).map(tokens);
    let returned = std::str::from_utf8(returned).map(tokens);
    match (sent, returned) {
        (Ok(Some(mut sent)), Ok(Some(mut returned))) => {
            for tokens in [&mut sent, &mut returned] {
                remove_server_meta(tokens);
            }
            sent == returned
        }
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A bracket, a brace, a comma or a colon.
    Mark(char),
    /// A string, unescaped.
    Text(String),
    /// A number, or a word such as `true`, as written.
    Word(String),
}

fn tokens(json: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => {
                tokens.push(Token::Mark(first));
                1
            }
            '"' => {
                let length = text_length(rest)?;
                tokens.push(Token::Text(serde_json::from_str(rest.get(..length)?).ok()?));
                length
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']');
                let length = rest.find(is_end).unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..length)?.to_owned()));
                length
            }
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

/// The length of the string at the beginning of a text, with its quotation marks.
fn text_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let mut letters = text.char_indices().skip(1);
    letters.find_map(|(index, letter)| {
        let ends = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends.then_some(index + 1)
    })
}

/// Removes `versionId` and `lastUpdated` from `meta`, and `meta` if nothing else is in it.
fn remove_server_meta(tokens: &mut Vec<Token>) {
    let mut depth = 0_usize;
    let Some(start) = tokens
        .iter()
        .zip(tokens.iter().skip(1))
        .position(|(token, next)| {
            match token {
                Token::Mark('{' | '[') => depth += 1,
                Token::Mark('}' | ']') => depth = depth.saturating_sub(1),
                Token::Mark(_) | Token::Text(_) | Token::Word(_) => {}
            }
            depth == 1 && *token == Token::Text("meta".to_owned()) && *next == Token::Mark(':')
        })
    else {
        return;
    };
    for name in ["versionId", "lastUpdated"] {
        let rest = tokens.iter().enumerate().skip(start + 3);
        let mut inside = rest.take_while(|(_, token)| **token != Token::Mark('}'));
        let found = inside.find(|(_, token)| **token == Token::Text(name.to_owned()));
        let found = found.map(|(index, _)| index);
        if let Some(at) = found {
            tokens.drain(at..at + 3);
            if tokens.get(at) == Some(&Token::Mark(',')) {
                tokens.remove(at);
            } else if tokens.get(at - 1) == Some(&Token::Mark(',')) {
                tokens.remove(at - 1);
            }
        }
    }
    if tokens.get(start + 3) == Some(&Token::Mark('}')) {
        tokens.drain(start..start + 4);
        if tokens.get(start) == Some(&Token::Mark(',')) {
            tokens.remove(start);
        } else if tokens.get(start - 1) == Some(&Token::Mark(',')) {
            tokens.remove(start - 1);
        }
    }
}
