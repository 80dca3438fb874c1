package web

import (
	"maps"
	"reflect"
	"slices"

	"fraudstream/drift"
)

// Topics are those that the process reads and writes, for their description. A name that is empty is a topic that is
// not used; without an input there is nothing to describe.
type Topics struct {
	Input, Output, DeadLetter, Alerts string
	DriftState                        string
	DriftTicks                        string // with a pool

	Group       string
	ExactlyOnce bool
	LetterMode  string // what dead letters hold of their events: raw, redacted, reference
}

// asyncAPI writes the AsyncAPI 3.0 description of the topics: an address for each that the configuration names, what
// this program does with it (receive: it reads, send: it writes), and keys, headers and payloads of its records.
//
// Payloads are described from the types and the model that they are made of, so a field that comes is in the
// description by itself. What the drift detectors keep for themselves is bytes of this program's own; its keys and
// headers are described, for whoever has to give access to those topics, copy them or empty them. The document is
// written from the point of view of this program, as AsyncAPI 3.0 has it: receive is what it consumes, so whoever
// writes transactions reads the operation receiveInput.
func (s *Server) asyncAPI(t Topics) []byte {
	guarantee := "At least once: a crash may repeat a decision, with the same decision_id."
	if t.ExactlyOnce {
		guarantee = "Exactly once: readers that read committed records see each decision once."
	}
	d := description{t.Group, object{}, object{}, object{}}
	d.add("Input", t.Input, "The transactions to score.", []string{"receive"}, map[string]object{"Event": s.eventMessage()})
	d.add("Output", t.Output, "One decision for each event that has a score. "+guarantee, []string{"send"}, map[string]object{"Decision": s.decisionMessage()})
	d.add("DeadLetter", t.DeadLetter, "The events that have none, with the reason.", []string{"send"}, map[string]object{"DeadLetter": letterMessage(t)})
	d.add("Alerts", t.Alerts, "Episodes of drift, pauses of the breaker, gaps in the input.", []string{"send"}, alertMessages())
	d.add("DriftState", t.DriftState, "The memory of the drift detectors, compacted: whoever takes a partition over goes on where the last owner stopped.",
		[]string{"send", "receive"}, map[string]object{"DriftSnapshot": snapshotMessage()})
	d.add("DriftTicks", t.DriftTicks, "What each partition has counted in a drift interval, for the pool of the detectors.",
		[]string{"send", "receive"}, map[string]object{"DriftTick": tickMessage()})
	b := &s.options.Scorer.Bundle
	return appendJSON(nil, object{
		"asyncapi": "3.0.0", "defaultContentType": "application/json",
		"info": object{
			"title": "fraudstream", "version": serverVersion(), "license": object{"name": "Apache-2.0"},
			"description": "Scores " + t.Input + " with " + b.Name + ", version " + b.Version + ".",
		},
		"channels": d.channels, "operations": d.operations, "components": object{"messages": d.messages},
	})
}

// description is what grows with each topic: a channel, an operation for each thing that is done with it, and its
// messages, to which both refer by name. Channels, operations and messages are the three maps of the document, and
// are filled side by side.
type description struct {
	group                          string // that reads the events
	channels, operations, messages object
}

// add describes a topic, if it is used: the channel, what is done with it, and the messages that it holds.
func (d *description) add(channel, address, about string, actions []string, all map[string]object) {
	if address == "" {
		return
	}
	inChannel, inOperation := object{}, []any{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d.messages[name] = all[name]
		inChannel[name] = object{"$ref": "#/components/messages/" + name}
		inOperation = append(inOperation, object{"$ref": "#/channels/" + channel + "/messages/" + name})
	}
	d.channels[channel] = object{
		"address": address, "description": about, "messages": inChannel,
		"bindings": object{"kafka": object{"topic": address, "bindingVersion": kafkaBinding}},
	}
	for _, action := range actions {
		operation := object{"action": action, "channel": object{"$ref": "#/channels/" + channel}, "messages": inOperation, "summary": about}
		if group := d.groupOf(channel); action == "receive" && group != "" {
			operation["bindings"] = object{"kafka": object{"groupId": object{"const": group}, "bindingVersion": kafkaBinding}}
		}
		d.operations[action+channel] = operation
	}
}

// groupOf is the consumer group that reads a topic. State is read by offset, without a group; the pool has one of its
// own. What is read without one needs no permission for a group.
func (d *description) groupOf(channel string) string {
	switch channel {
	case "DriftState":
		return ""
	case "DriftTicks":
		return d.group + PoolSuffix
	}
	return d.group
}

// PoolSuffix makes the name of the group that reads the drift ticks from that of the group that reads the events.
const PoolSuffix = ".drift-pool"

// kafkaBinding is the version of the bindings that say what is Kafka's own: keys, topics, groups.
const kafkaBinding = "0.5.0"

// message is one kind of record, of JSON.
func message(title, about string, key, headers, payload object) object {
	return messageOf("application/json", title, about, key, headers, payload)
}

// messageOf is one kind of record.
func messageOf(contentType, title, about string, key, headers, payload object) object {
	return object{
		"name": title, "title": title, "summary": about, "contentType": contentType, "payload": payload, "headers": headers,
		"bindings": object{"kafka": object{"key": key, "bindingVersion": kafkaBinding}},
	}
}

// headersOf is the schema of record headers: all texts, of which some have one value. The constants and the required
// names are on every record; of the trace the two headers of W3C Trace Context are there where the event had them.
func headersOf(constants map[string]string, required ...string) object {
	properties := object{}
	for _, name := range required {
		properties[name] = object{"type": "string"}
	}
	for name, value := range constants {
		properties[name] = object{"type": "string", "const": value}
	}
	all := slices.Sorted(maps.Keys(properties))
	for name, about := range map[string]string{
		"traceparent": "Of the event, if it has one (W3C Trace Context).", "tracestate": "Likewise.",
	} {
		properties[name] = object{"type": "string", "description": about}
	}
	return object{"type": "object", "properties": properties, "required": all}
}

// eventMessage is what the input has to hold.
func (s *Server) eventMessage() object {
	about := "A JSON object, also behind the framing of a schema registry."
	key := object{"type": "string", "description": "Any, or none; decisions have the same."}
	headers := object{"traceparent": object{"type": "string"}, "tracestate": object{"type": "string"}}
	if s.options.Scorer.EventFormat() == cloudEvents {
		headers["content-type"] = text("application/cloudevents+json, or, in binary mode, a type of JSON.")
		headers["ce_specversion"] = object{"const": "1.0", "description": "In binary mode."}
	}
	return message("Event", about, key, object{"type": "object", "properties": headers}, s.eventRecord())
}

// decisionMessage is what the output holds. is_fraud is a boolean here and 0 or 1 over HTTP: the first is the
// contract of the topic, the second that of /predict.
func (s *Server) decisionMessage() object {
	properties := s.decisionProperties()
	properties["is_fraud"] = object{"type": "boolean"}
	properties["source"] = record("Where the event stands.", object{
		"topic": text(""), "partition": object{"type": "integer"}, "offset": object{"type": "integer"},
	}, "topic", "partition", "offset")
	b := &s.options.Scorer.Bundle
	headers := headersOf(map[string]string{
		"ce_specversion": "1.0", "ce_type": "fraudstream.decision.v1", "content-type": "application/json", "ce_model": b.Name + "@" + b.Version,
	}, "ce_id", "ce_source", "ce_decision")
	key := object{"type": "string", "description": "That of the event."}
	return message("Decision", "A CloudEvent in binary mode; ce_id is the decision_id.", key, headers,
		record("The same event, model and thresholds give the same bytes.", properties, append([]string{"source"}, decisionAlways...)...))
}

// letterMessage is what the dead letters hold. The headers are those that Kafka Connect writes on its own dead
// letters, so that tools for the one read the other; what is this program's own begins with fraudstream.error.
func letterMessage(t Topics) object {
	about, payload := "The value of the event as it came.", object{"description": "Whatever could not be scored."}
	switch t.LetterMode {
	case "redacted":
		about = "The value of the event with its letters and digits replaced."
	case "reference":
		about, payload = "Nothing of the event; its headers say where it is.", object{"type": "null"}
	}
	headers := headersOf(map[string]string{"__connect.errors.stage": "TRANSFORMATION"},
		"__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset", "__connect.errors.connector.name",
		"__connect.errors.task.id", "__connect.errors.class.name", "__connect.errors.exception.class.name",
		"__connect.errors.exception.message", "fraudstream.error.code")
	properties := headers["properties"].(object)
	if t.LetterMode == "redacted" || t.LetterMode == "reference" {
		delete(properties, "tracestate")
		properties["content-type"] = text("The media type of the event, if it has one; of its other headers only traceparent is kept.")
	}
	properties["fraudstream.error.code"] = object{"enum": eventCodes}
	for name, about := range map[string]string{
		"fraudstream.error.field": "The feature, where one is at fault.", "fraudstream.error.timestamp": "Of the event's record, Unix milliseconds.",
		"fraudstream.error.value": "redacted or omitted, where the value is not the event's.",
	} {
		properties[name] = text(about)
	}
	return message("DeadLetter", about, object{"type": "string", "description": "That of the event, unless it is withheld."}, headers, payload)
}

// alertMessages are the kinds of record on the alerts topic; the header ce_type tells them apart, and ce_id is the
// same for a repeated one. An episode is described from its type and then completed with the members that are put
// beside it when it is published. Breakers and gaps are the stream's own and are described by hand.
func alertMessages() map[string]object {
	headers := func(kind string) object {
		return headersOf(map[string]string{"ce_specversion": "1.0", "ce_type": kind, "content-type": "application/json"}, "ce_id", "ce_source")
	}
	episode := schemaOf(reflect.TypeFor[drift.Episode]())
	properties := episode["properties"].(object)
	properties["state"] = object{"enum": []string{drift.EpisodeOpen, drift.EpisodeClosed}}
	properties["severity"] = object{"enum": []string{"warning", "page"}}
	properties["closed_tick"] = object{"type": "integer"}
	for _, name := range []string{"text", "model", "guarantee"} {
		properties[name] = object{"type": "string"}
	}
	episode["required"] = append(episode["required"].([]string), "severity", "text", "model", "guarantee")
	whole := object{"type": "integer"}
	breaker := object{
		"kind": object{"const": "breaker"}, "state": object{"enum": []string{"open", "closed"}}, "episode": text(""), "partition": text(""),
		"model": text(""), "offset": whole, "events": whole, "failed": whole, "share": number(""), "allowed": number(""), "code": object{"enum": eventCodes},
	}
	gap := object{
		"kind": object{"const": "offset"}, "state": object{"enum": []string{"skipped", "paused"}}, "reason": text(""), "partition": text(""),
		"offset": whole, "next": whole, "records": whole,
	}
	byPartition := object{"type": "string", "description": "The group and the partition."}
	return map[string]object{
		"DriftAlert": message("DriftAlert", "An episode of drift has begun or ended.", object{"type": "string", "description": "The feature."}, headers("fraudstream.drift.alert.v1"), episode),
		"BreakerAlert": message("BreakerAlert", "So many events fail that a partition has paused, or goes on.", byPartition, headers("fraudstream.breaker.alert.v1"),
			record("", breaker, "kind", "state", "episode", "partition", "offset", "events", "failed", "share", "allowed")),
		"OffsetAlert": message("OffsetAlert", "Records of the input are passed over, or cannot be.", byPartition, headers("fraudstream.offset.alert.v1"),
			record("", gap, "kind", "state", "reason", "partition", "offset", "next", "records")),
	}
}

// partitionKey is the key of what speaks of one partition of the input.
var partitionKey = object{"type": "string", "pattern": "^.+/[0-9]+$", "description": "The group and the partition of the input: GROUP/PARTITION."}

// snapshotMessage is the state of the detectors of a partition. Its bytes are this program's own affair; what others
// may rely on is whose they are, so that they can count, copy or delete them.
func snapshotMessage() object {
	headers := object{
		"type": "object", "required": []string{"fraudstream.input"},
		"properties": object{"fraudstream.input": text("The topic whose offsets the snapshot speaks of.")},
	}
	payload := object{
		"type": "string", "format": "binary",
		"description": "4 bytes of length, so many bytes of JSON (life, merged, accepted), then counts and evidence, " +
			"which begin with fsdr and end with a CRC-32C. Of another version of the model it is left unread.",
	}
	return messageOf("application/octet-stream", "DriftSnapshot", "All that the detectors of one partition remember.", partitionKey, headers, payload)
}

// tickMessage is what one partition has counted in one interval.
func tickMessage() object {
	payload := object{
		"type": "string", "format": "binary",
		"description": "16 bytes that name the tick (the life of the partition's counts and the number of the tick in it, big-endian), " +
			"then the counts, which begin with fsdr and end with a CRC-32C. A tick that comes twice is counted once.",
	}
	return messageOf("application/octet-stream", "DriftTick", "The counts of one drift interval.", partitionKey, object{"type": "object"}, payload)
}
