//! The query protocols' XML, from the same JSON values that the JSON protocol sends as they are.
//!
//! An object becomes child elements, an array a list of `<item>` (EC2) or `<member>` (STS) elements, null nothing.

use quick_xml::escape::escape;
use serde_json::Value;

use super::error::ApiError;

/// EC2's success response.
pub(crate) fn ec2(action: &str, request_id: &str, result: &Value) -> String {
    let mut text = format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{request_id}</requestId>"
    );
    push(&mut text, result, "item");
    text + &format!("</{action}Response>")
}

/// EC2's error response.
pub(crate) fn ec2_error(request_id: &str, error: &ApiError) -> String {
    format!(
        "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>",
        escape(&*error.code),
        escape(error.message.as_str())
    )
}

/// STS's success response.
pub(crate) fn sts(action: &str, request_id: &str, result: &Value) -> String {
    let mut text = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>"
    );
    push(&mut text, result, "member");
    text + &format!(
        "</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// STS's error response.
pub(crate) fn sts_error(request_id: &str, error: &ApiError) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escape(&*error.code),
        escape(error.message.as_str())
    )
}

fn push(text: &mut String, value: &Value, item: &str) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(s) => text.push_str(&escape(s.as_str())),
        Value::Array(items) => {
            for value in items {
                element(text, item, value, item);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                element(text, name, value, item);
            }
        }
    }
}

fn element(text: &mut String, name: &str, value: &Value, item: &str) {
    text.extend(["<", name, ">"]);
    push(text, value, item);
    text.extend(["</", name, ">"]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays_nulls_and_markup() {
        let result = json!({"set": [{"id": "a<b"}], "gone": null, "count": 2, "ok": true});
        let text = ec2("Look", "r-1", &result);
        assert!(text.contains("<set><item><id>a&lt;b</id></item></set>"));
        assert!(text.contains("<count>2</count>") && text.contains("<ok>true</ok>"));
        assert!(!text.contains("gone"));
    }

    #[test]
    fn an_error_message_is_escaped() {
        let error = ApiError::new("Bad", "a & b");
        assert!(ec2_error("r", &error).contains("a &amp; b"));
        assert!(sts_error("r", &error).contains("<Code>Bad</Code>"));
    }
}
