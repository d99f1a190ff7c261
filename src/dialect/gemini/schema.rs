//! Gemini's own form of a schema, which is nearly OpenAPI's, as a JSON schema.

use serde_json::{Map, Value, json};

/// The keywords that protobuf writes as texts, because they are 64 bits long.
const LONG: [&str; 6] = ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// `schema` as a JSON schema: one that is one already stays as it is.
///
/// Types are in small letters, `nullable` is the type `null`, numbers are no texts, and properties come in the order that
/// `propertyOrdering` gives. An object has no other properties than those it names, as Gemini takes it; Claude wants that said.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    let mut written = Map::with_capacity(members.len());
    let (mut nullable, mut order) = (false, None);
    for (name, value) in members {
        let known = known(name);
        match (known, value) {
            ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => {}
            ("type", Value::String(kind)) => put(&mut written, name, kind.to_ascii_lowercase().into()),
            ("nullable", Value::Bool(is)) => nullable = *is,
            ("propertyOrdering", Value::Array(names)) => order = Some(names),
            ("example", _) => put(&mut written, "examples", json!([value])),
            ("items" | "additionalProperties", _) => put(&mut written, known, to_json_schema(value)),
            ("anyOf" | "prefixItems" | "oneOf" | "allOf", Value::Array(all)) => {
                put(&mut written, known, all.iter().map(to_json_schema).collect());
            }
            ("properties" | "$defs" | "defs" | "definitions", Value::Object(all)) => {
                let each = all.iter().map(|(name, value)| (name.clone(), to_json_schema(value)));
                put(&mut written, known, Value::Object(each.collect()));
            }
            (_, Value::String(digits)) if LONG.contains(&known) => {
                put(&mut written, known, digits.parse::<u64>().map_or_else(|_| value.clone(), Value::from));
            }
            _ => put(&mut written, known, value.clone()),
        }
    }
    if nullable {
        allow_null(&mut written);
    }
    if written.contains_key("properties") && !written.contains_key("additionalProperties") {
        put(&mut written, "additionalProperties", false.into());
    }
    if let (Some(order), Some(Value::Object(properties))) = (order, written.get_mut("properties")) {
        let names = order.iter().filter_map(Value::as_str);
        let mut first: Map<_, _> = names.filter_map(|name| properties.shift_remove_entry(name)).collect();
        first.append(properties);
        *properties = first;
    }
    written.into()
}

fn put(written: &mut Map<String, Value>, name: &str, value: Value) {
    written.insert(name.to_owned(), value);
}

/// The keyword `name` in camelCase.
fn known(name: &str) -> &str {
    match name {
        "any_of" => "anyOf",
        "property_ordering" => "propertyOrdering",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "additional_properties" => "additionalProperties",
        name => name,
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    match (schema.get("type").cloned(), schema.get_mut("anyOf")) {
        (Some(Value::String(kind)), _) if kind != "null" => put(schema, "type", json!([kind, "null"])),
        (_, Some(Value::Array(all))) => all.push(json!({"type": "null"})),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_gemini_is_a_json_schema() {
        let own = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "nullable": true, "example": "x"},
                "list": {"type": "ARRAY", "items": {"type": "NUMBER"}, "min_items": "1"},
            },
            "required": ["list"], "propertyOrdering": ["list", "gone"],
        });
        let same = json!({
            "type": "object",
            "properties": {
                "list": {"type": "array", "items": {"type": "number"}, "minItems": 1},
                "type": {"type": ["string", "null"], "examples": ["x"]},
            },
            "required": ["list"],
            "additionalProperties": false,
        });
        assert_eq!(to_json_schema(&own).to_string(), same.to_string());
        let any = json!({"any_of": [{"type": "STRING"}], "nullable": true});
        assert_eq!(to_json_schema(&any), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}));
        let json_schema = json!({"type": ["string", "null"], "enum": ["A"], "additionalProperties": false});
        assert_eq!(to_json_schema(&json_schema), json_schema);
        let open = json!({"type": "object", "properties": {"a": {"type": "object"}}, "additionalProperties": true});
        assert_eq!(to_json_schema(&open), open);
    }
}
