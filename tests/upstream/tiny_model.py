"""Writes a model that llama.cpp can serve: llama's architecture at its smallest, with random weights of a fixed seed. It speaks noise, but
noise that tests can count: each token is one printable character, and it never ends by itself, only by a cap or a grammar."""

import sys

import gguf
import numpy

EMBEDDING, FEED_FORWARD, HEADS, LAYERS, CONTEXT = 64, 128, 2, 2, 4096
SPECIAL = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
BOS, END = SPECIAL.index('<s>'), SPECIAL.index('<|im_end|>')
PRINTABLE = range(0x21, 0x7F)
# Begins a tool call. llama.cpp lets any text stand before one, also where a tool is forced, so noise must soon come upon it by chance.
CALL = '@'
# ChatML, with at most one call in an answer: where a template shows several, the grammar lets noise go on calling.
TEMPLATE = """
{%- if tools %}{{- '<|im_start|>system\\n' + tools | tojson + '<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content %}{{- message.content }}{%- endif %}
{%- if message.tool_calls %}{%- set call = message.tool_calls[0].function %}
{{- '""" + CALL + """{"name": "' + call.name + '", "arguments": ' }}{{- call.arguments | tojson }}{{- '}' }}
{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""


def add_vocabulary(writer):
    """Bytes and a few specials, as a SentencePiece model has them: every text is one token for each of its bytes."""
    kind = gguf.TokenType
    tokens = SPECIAL + [f'<0x{byte:02X}>' for byte in range(256)]
    writer.add_tokenizer_model('llama')
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kind.UNKNOWN] + [kind.CONTROL] * (len(SPECIAL) - 1) + [kind.BYTE] * 256)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    return len(tokens)


def add_weights(writer, vocabulary):
    """Noise, but for dimension 0: every token has it, and the last layer reads from it that printable characters are likely."""
    chance = numpy.random.default_rng(seed=1)

    def add(name, *shape, first=None):
        weights = chance.normal(0, 0.1, shape).astype(numpy.float32)
        if first is not None:
            weights[:, 0] = first
        writer.add_tensor(f'{name}.weight', weights)

    def add_norm(name):
        writer.add_tensor(f'{name}.weight', numpy.ones(EMBEDDING, numpy.float32))

    add('token_embd', vocabulary, EMBEDDING, first=5)
    for layer in range(LAYERS):
        add_norm(f'blk.{layer}.attn_norm')
        add_norm(f'blk.{layer}.ffn_norm')
        for name in ['attn_q', 'attn_k', 'attn_v', 'attn_output']:
            add(f'blk.{layer}.{name}', EMBEDDING, EMBEDDING)
        add(f'blk.{layer}.ffn_gate', FEED_FORWARD, EMBEDDING)
        add(f'blk.{layer}.ffn_up', FEED_FORWARD, EMBEDDING)
        add(f'blk.{layer}.ffn_down', EMBEDDING, FEED_FORWARD)
    add_norm('output_norm')
    likely = numpy.full(vocabulary, -5.0)
    likely[[len(SPECIAL) + byte for byte in PRINTABLE]] = 5
    likely[len(SPECIAL) + ord(CALL)] = 5.3
    add('output', vocabulary, EMBEDDING, first=likely)


def write(path):
    writer = gguf.GGUFWriter(path, 'llama')
    vocabulary = add_vocabulary(writer)
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_weights(writer, vocabulary)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == '__main__':
    write(sys.argv[1])
