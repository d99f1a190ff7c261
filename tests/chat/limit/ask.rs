//! The limits of requests.

use super::{Limit, calls_last};
use crate::chat::make::tidy;
use serde_json::json;
use tollgate::chat::{Effort, Format, Media, Message, Part, Reasoning, Request, Role, Thought, ToolChoice};
use tollgate::units::Tokens;

impl Limit {
    pub(super) fn on_request(self, request: &mut Request) {
        match self {
            Self::OfClaude => "us.anthropic.claude-opus-4-6-v1".clone_into(&mut request.model),
            Self::OneUser => one_user(request),
            Self::FileNames => file_names(request),
            Self::OneSystem => one_system(request),
            Self::Capped => request.output_cap = request.output_cap.or(Some(Tokens::new(100))),
            Self::ParallelInChoice => match (&request.tool_choice, request.parallel_tools) {
                (Some(ToolChoice::Auto), Some(_)) => request.tool_choice = None,
                (Some(ToolChoice::None), _) => request.parallel_tools = None,
                _ => {}
            },
            Self::BudgetBelowCap => {
                let budget = request.reasoning.as_ref().and_then(|reasoning| reasoning.budget);
                request.output_cap = request.output_cap.max(budget.map(|budget| budget.plus(Tokens::new(1))));
            }
            Self::AnswerSchema | Self::NoSchemaAbout | Self::NoStrictSchema => self.on_format(&mut request.format),
            Self::NoFreeCalls => no_free_calls(request),
            _ => {
                self.on_reasoning(request);
                self.on_tools(request);
                request.messages.iter_mut().for_each(|message| self.on_message(message));
            }
        }
        tidy(request);
    }

    fn on_reasoning(self, request: &mut Request) {
        let Some(reasoning) = &mut request.reasoning else { return };
        match self {
            Self::EffortOnly => (reasoning.budget, reasoning.told) = (None, None),
            Self::EffortAndTold => reasoning.budget = None,
            Self::EffortOrBudget if reasoning.effort.is_some() => reasoning.budget = None,
            Self::NoMinimal if reasoning.effort == Some(Effort::Minimal) => reasoning.effort = Some(Effort::Low),
            Self::NoHighest if reasoning.effort == Some(Effort::Highest) => reasoning.effort = Some(Effort::High),
            Self::ZeroIsNone if reasoning.effort == Some(Effort::None) || reasoning.budget == Some(Tokens::ZERO) => {
                (reasoning.effort, reasoning.budget) = (Some(Effort::None), None);
            }
            Self::NoneIsSilent if reasoning.effort == Some(Effort::None) => reasoning.told = None,
            _ => {}
        }
        if *reasoning == Reasoning::default() {
            request.reasoning = None;
        }
    }

    fn on_format(self, format: &mut Format) {
        let Format::Schema { name, description, strict, .. } = format else { return };
        match self {
            Self::AnswerSchema => "answer".clone_into(name),
            Self::NoSchemaAbout => *description = None,
            _ => *strict = None,
        }
    }

    fn on_tools(self, request: &mut Request) {
        for tool in &mut request.tools {
            match self {
                Self::NoEmptySchemas if tool.parameters == Some(json!({"type": "object", "properties": {}})) => {
                    tool.parameters = None;
                }
                Self::NoStrictTools => tool.strict = None,
                Self::StrictTools if !tool.free => tool.strict = tool.strict.or(Some(false)),
                _ => {}
            }
        }
    }

    fn on_message(self, message: &mut Message) {
        match (message.role, self) {
            (Role::System, Self::SystemApart) => message.parts.truncate(1),
            (Role::Assistant, Self::CallsLast) => message.parts = calls_last(std::mem::take(&mut message.parts)),
            (Role::Assistant, Self::PlainThoughts) => plain_thoughts(&mut message.parts),
            (Role::Assistant, Self::JoinedTexts) => joined_texts(&mut message.parts, ""),
            (Role::Tool, Self::JoinedTexts) => message.parts.iter_mut().for_each(|part| {
                if let Part::ToolResult(result) = part {
                    joined_texts(&mut result.parts, "\n");
                }
            }),
            (_, Self::JoinedTexts) => joined_texts(&mut message.parts, "\n"),
            _ => message.parts.iter_mut().for_each(|part| self.on_part(part)),
        }
    }

    pub(super) fn on_part(self, part: &mut Part) {
        match (self, part) {
            (Self::NoRefusals, part @ Part::Refusal(_)) => {
                if let Part::Refusal(text) = part {
                    *part = Part::text(std::mem::take(text));
                }
            }
            (Self::NoAutoDetail, Part::Image { detail, .. }) => {
                *detail = detail.take().filter(|detail| detail != "auto")
            }
            (_, Part::Image { media, .. }) => self.on_media(media, "image/jpeg"),
            (Self::NoFileNames, Part::File { name, .. }) => *name = None,
            (_, Part::File { media, .. }) => self.on_media(media, "application/pdf"),
            (_, Part::ToolResult(result)) => result.parts.iter_mut().for_each(|part| self.on_part(part)),
            _ => {}
        }
    }

    fn on_media(self, media: &mut Media, usual: &str) {
        let Media::Url { kind, .. } = media else { return };
        match self {
            Self::NoUrlKinds => *kind = None,
            Self::UrlKinds => drop(kind.get_or_insert_with(|| usual.to_owned())),
            _ => {}
        }
    }
}

fn plain_thoughts(parts: &mut Vec<Part>) {
    let mut thought = String::new();
    parts.retain(|part| match part {
        Part::Thought(said) => {
            thought.push_str(&said.text);
            false
        }
        _ => true,
    });
    if !thought.is_empty() {
        parts.insert(0, Part::Thought(Thought { text: thought, ..Thought::default() }));
    }
}

/// Joins neighbouring texts, unless something else is said, too.
fn joined_texts(parts: &mut Vec<Part>, apart: &str) {
    let is_other = |part: &Part| !matches!(part, Part::Text(_) | Part::Thought(_) | Part::ToolCall(_));
    if parts.iter().any(is_other) {
        return;
    }
    parts.dedup_by(|next, last| match (next, last) {
        (Part::Text(next), Part::Text(last)) => {
            last.text = [last.text.as_str(), next.text.as_str()].join(apart);
            true
        }
        _ => false,
    });
}

/// Takes the tools that take free text out of `request`, and their calls and results.
fn no_free_calls(request: &mut Request) {
    request.tools.retain(|tool| !tool.free);
    if request.tools.is_empty() {
        (request.tool_choice, request.parallel_tools) = (None, None);
    }
    let named = |choice: &ToolChoice| match choice {
        ToolChoice::One(name) => request.tools.iter().any(|tool| tool.name == *name),
        _ => true,
    };
    request.tool_choice = request.tool_choice.take().filter(named);
    let mut gone = Vec::new();
    for message in &mut request.messages {
        message.parts.retain(|part| match part {
            Part::ToolCall(call) if call.free => {
                gone.push(call.id.clone());
                false
            }
            Part::ToolResult(result) => !gone.contains(&result.call),
            _ => true,
        });
    }
}

fn one_system(request: &mut Request) {
    let of_system = |message: &Message| message.role == Role::System;
    let (system, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut request.messages).into_iter().partition(of_system);
    let parts: Vec<Part> = system.into_iter().flat_map(|message| message.parts).collect();
    request.messages.extend((!parts.is_empty()).then(|| Message::new(Role::System, parts)));
    request.messages.extend(rest);
}

fn one_user(request: &mut Request) {
    let mut messages: Vec<Message> = Vec::new();
    for message in std::mem::take(&mut request.messages) {
        match messages.last_mut() {
            Some(last) if last.role == Role::User && message.role == Role::User => last.parts.extend(message.parts),
            _ => messages.push(message),
        }
    }
    request.messages = messages;
}

fn file_names(request: &mut Request) {
    let parts = request.messages.iter_mut().flat_map(|message| &mut message.parts);
    let names = parts.filter_map(|part| match part {
        Part::File { name, .. } => Some(name),
        _ => None,
    });
    names.enumerate().for_each(|(nth, name)| *name = Some(format!("a-[{nth}]")));
}
