package scoring

// framing is what the serializers of Confluent's schema registry put before a value: a zero byte, then the id of the
// schema in four bytes, big-endian. Apart from it, what their JSON Schema serializer writes is plain JSON.
const framing = 5

// unframe returns value without the framing, where it has one, and whether it can be read then. No JSON text begins
// with a zero byte, so that nothing else is taken for framed. Which schema it was cannot be told without the registry;
// what does not begin as an object is Avro, Protobuf or no event. The body is a view. Framing alone, with
// nothing behind, is refused like Avro.
func unframe(value []byte) (body []byte, ok bool) {
	if len(value) < framing || value[0] != 0 {
		return value, true
	}
	body = value[framing:]
	for _, c := range body {
		switch c {
		case ' ', '\n', '\r', '\t':
		default:
			return body, c == '{'
		}
	}
	return body, false
}
