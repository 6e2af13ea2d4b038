package status

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// OpenAPI returns the description of the API, in version 3.1 of the format. It is derived
// from the types of the responses, so that it cannot differ from them.
func OpenAPI() map[string]any {
	schemas := map[string]any{}
	paths := map[string]any{}
	for _, e := range Endpoints {
		answers := map[string]any{
			"200": answer(e.Doc, map[string]any{"application/json": map[string]any{"schema": schemaOf(reflect.TypeOf(e.Sample), schemas)}}),
			"401": answer("The user and the password are not those of a node or an administrator.", nil),
			"403": answer("The caller's address is not allowed, or the user is a module.", nil),
			"429": answer("Too many logins failed; Retry-After says how long to wait.", nil),
			"503": answer("Redis has not been read yet.", nil),
		}
		if strings.Contains(e.Path, "{") {
			answers["404"] = answer("There is no such module or destination.", nil)
		}
		get := map[string]any{"operationId": e.Name, "summary": e.Doc, "responses": answers}
		if parameters := parametersOf(e); len(parameters) > 0 {
			get["parameters"] = parameters
		}
		paths[e.Path] = map[string]any{"get": get}
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title":       "rclone-gateway status",
			"version":     "1",
			"description": "What the pages at /-/status show, for dashboards. New fields may be added at any time; those that are here stay.",
			"license":     map[string]any{"name": "MIT", "identifier": "MIT"},
		},
		"servers":    []any{map[string]any{"url": APIBase}},
		"security":   []any{map[string]any{"basic": []any{}}},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"basic": map[string]any{"type": "http", "scheme": "basic", "description": "A node's Redis user, or an administrator's: admin/NAME."}}},
	}
}

func answer(text string, content map[string]any) map[string]any {
	a := map[string]any{"description": text}
	if content != nil {
		a["content"] = content
	}
	return a
}

// parameterDocs describe the query parameters.
var parameterDocs = map[string]string{
	"schedule": "schedule ID", "module": "module ID", "kind": "what was run", "outcome": "what it came to",
	"run": "ID of a run of a schedule", "limit": "how many at most",
}

// MaxRuns bounds the runs in a response; DefaultRuns is the default limit.
const (
	MaxRuns     = 500
	DefaultRuns = 100
)

func parametersOf(e Endpoint) []any {
	var all []any
	add := func(name, in, doc string, schema map[string]any) {
		all = append(all, map[string]any{"name": name, "in": in, "required": in == "path", "description": doc, "schema": schema})
	}
	text := map[string]any{"type": "string"}
	for segment := range strings.SplitSeq(e.Path, "/") {
		if name := strings.Trim(segment, "{}"); name != segment {
			add(name, "path", map[string]string{"app": "application type", "uuid": "the module's UUID", "id": "destination ID"}[name], text)
		}
	}
	for _, name := range e.Query {
		schema := text
		switch name {
		case "kind":
			schema = map[string]any{"type": "string", "enum": enumOf("backup,retention,prune,check,drill")}
		case "outcome":
			schema = map[string]any{"type": "string", "enum": enumOf("done,partial,failed,missed,skipped")}
		case "limit":
			schema = map[string]any{"type": "integer", "minimum": 1, "maximum": MaxRuns, "default": DefaultRuns}
		}
		add(name, "query", parameterDocs[name], schema)
	}
	return all
}

func enumOf(words string) []any {
	var all []any
	for word := range strings.SplitSeq(words, ",") {
		all = append(all, word)
	}
	return all
}

var timeType = reflect.TypeFor[time.Time]()

// schemaOf describes a type. Structs become references.
func schemaOf(t reflect.Type, schemas map[string]any) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), schemas)
	}
	switch t.Kind() {
	case reflect.Struct:
		if _, known := schemas[t.Name()]; !known {
			schemas[t.Name()] = true // the type may be recursive
			schemas[t.Name()] = objectOf(t, schemas)
		}
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas)}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	}
	return map[string]any{"type": "integer"}
}

// objectOf describes a struct. Fields with omitempty are not required.
func objectOf(t reflect.Type, schemas map[string]any) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
		property := schemaOf(field.Type, schemas)
		inner := property
		if items, ok := property["items"].(map[string]any); ok {
			inner = items
		}
		if words := field.Tag.Get("enum"); words != "" {
			inner["enum"] = enumOf(words)
		}
		if format := field.Tag.Get("format"); format != "" {
			inner["format"] = format
		}
		property["description"] = field.Tag.Get("doc")
		properties[name] = property
	}
	slices.Sort(required)
	return map[string]any{"type": "object", "properties": properties, "required": required}
}
