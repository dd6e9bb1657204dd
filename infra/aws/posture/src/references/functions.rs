//! The intrinsic functions.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::References;
use crate::cidr;
use crate::error::InputError;
use crate::error::Within as _;
use crate::text::Text;

impl References<'_> {
    pub(super) fn function(
        &self,
        name: &str,
        argument: &Value,
    ) -> Result<Option<Value>, InputError> {
        let list = argument.as_array().map_or(&[][..], Vec::as_slice);
        let value = match (name, list) {
            ("Ref", _) => return self.reference(argument.as_str().unwrap_or_default()),
            ("Fn::If", [condition, then, otherwise]) => {
                let holds = self.condition(condition.as_str().unwrap_or_default())?;
                return self.value(if holds { then } else { otherwise });
            }
            ("Fn::GetAtt", [resource, attribute]) => self.attribute(
                resource.as_str().unwrap_or_default(),
                &self.literal(attribute)?,
            )?,
            ("Fn::Sub", [text, names]) => self.substitute(text, names.as_object())?,
            ("Fn::Sub", _) => self.substitute(argument, None)?,
            ("Fn::Join", [separator, items]) => self.join(&self.literal(separator)?, items)?,
            ("Fn::Split", [separator, text]) => self.split(&self.literal(separator)?, text)?,
            ("Fn::Select", [index, items]) => self.select(index, items)?,
            ("Fn::FindInMap", [map, first, second]) => self.find_in_map(map, first, second)?,
            ("Fn::Cidr", [block, count, bits]) => self.cidr(block, count, bits)?,
            ("Fn::GetAZs", _) => self.zones(argument)?,
            ("Fn::Base64", _) => json!({ "Fn::Base64": self.required(argument)? }),
            _ => return Err(InputError::new("is not supported: use another function")),
        };
        Ok(Some(value))
    }

    fn substitute(
        &self,
        text: &Value,
        names: Option<&Map<String, Value>>,
    ) -> Result<Value, InputError> {
        let text = text
            .as_str()
            .ok_or_else(|| InputError::new("must have a text"))?;
        let resolved = Text::parse(text).resolved(|name| {
            if let Some(value) = names.and_then(|names| names.get(name)) {
                return self.text(value).within(name);
            }
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute)?,
                None => self
                    .reference(name)?
                    .ok_or_else(|| InputError::new("AWS::NoValue is not allowed in a text"))?,
            };
            Text::of(&value).ok_or_else(|| InputError::new(format!("{name} is not text")))
        })?;
        Ok(resolved.into_value())
    }

    fn items(&self, items: &Value) -> Result<Vec<Value>, InputError> {
        let items = self.required(items)?;
        let list = items.as_array().cloned();
        list.ok_or_else(|| InputError::new(format!("{items} is not a list")))
    }

    fn join(&self, separator: &str, items: &Value) -> Result<Value, InputError> {
        let mut joined = Text::default();
        for (index, item) in self.items(items)?.iter().enumerate() {
            if index > 0 {
                joined.append_literal(separator);
            }
            let text =
                Text::of(item).ok_or_else(|| InputError::new(format!("{item} is not text")))?;
            joined.append(text);
        }
        Ok(joined.into_value())
    }

    fn split(&self, separator: &str, text: &Value) -> Result<Value, InputError> {
        let pieces = self.text(text)?.split(separator);
        Ok(pieces.into_iter().map(Text::into_value).collect())
    }

    fn select(&self, index: &Value, items: &Value) -> Result<Value, InputError> {
        let index: usize = self.number(index)?;
        let items = self.items(items)?;
        let found = items.get(index).cloned();
        found.ok_or_else(|| {
            InputError::new(format!("there is no item {index} in {} items", items.len()))
        })
    }

    fn find_in_map(&self, map: &Value, first: &Value, second: &Value) -> Result<Value, InputError> {
        let (map, first, second) = (
            self.literal(map)?,
            self.literal(first)?,
            self.literal(second)?,
        );
        let found = ["Mappings", &map, &first, &second]
            .iter()
            .try_fold(self.template, |at, name| at.get(name));
        let found = found.cloned();
        found.ok_or_else(|| InputError::new(format!("there is no entry {map}.{first}.{second}")))
    }

    fn cidr(&self, block: &Value, count: &Value, bits: &Value) -> Result<Value, InputError> {
        let block = self.literal(block)?;
        let networks = cidr::subnets(&block, self.number(count)?, self.number(bits)?);
        networks.map(Value::from).map_err(InputError::new)
    }

    fn number<N: std::str::FromStr>(&self, value: &Value) -> Result<N, InputError> {
        let literal = self.literal(value)?;
        let number = literal.parse().ok();
        number.ok_or_else(|| InputError::new(format!("{literal} is not a valid number")))
    }

    fn zones(&self, region: &Value) -> Result<Value, InputError> {
        let named = self.literal(region)?;
        let region = if named.is_empty() {
            &self.target.region
        } else {
            &named
        };
        Ok(["a", "b", "c"]
            .map(|zone| format!("{region}{zone}"))
            .to_vec()
            .into())
    }
}
