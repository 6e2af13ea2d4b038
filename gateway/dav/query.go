package dav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Bounds of a PROPFIND. Clients send a few hundred bytes and name a dozen properties. Each
// unknown name is repeated for every entry of the response, so the number of names bounds
// the response to one small request.
const (
	maxQuery      = 64 << 10
	maxQueryDepth = 16
	maxProperties = 64
	maxNameLength = 256
)

// namespace is WebDAV's own namespace.
const namespace = "DAV:"

// query is what a PROPFIND asks about each resource.
type query struct {
	// namesOnly requests the names of properties without their values.
	namesOnly bool
	// all requests all properties, regardless of known.
	all bool
	// known are the requested properties that are supported.
	known [numProperties]bool
	// unknown are all other requested properties, as empty elements.
	unknown []byte
}

// allProperties is the query of a request without a body.
func allProperties() query {
	q := query{all: true}
	for i := range q.known {
		q.known[i] = true
	}
	return q
}

// readQuery reads the body of a PROPFIND.
func readQuery(r *http.Request) (query, error) {
	if r.ContentLength > maxQuery {
		return query{}, fmt.Errorf("%w: %d bytes of XML", refusal.ErrTooLarge, r.ContentLength)
	}
	if r.Body == nil || r.ContentLength == 0 {
		return allProperties(), nil
	}
	body := &io.LimitedReader{R: r.Body, N: maxQuery + 1}
	q, err := parseQuery(body)
	switch {
	case body.N <= 0:
		return query{}, fmt.Errorf("%w: more than %d bytes of XML", refusal.ErrTooLarge, maxQuery)
	case errors.Is(err, io.EOF):
		return allProperties(), nil // a chunked body without content
	case err != nil:
		return query{}, fmt.Errorf("PROPFIND: %w: %s", fs.ErrInvalid, err.Error())
	}
	return q, nil
}

// parseQuery reads tokens in a loop, so that nesting does not grow the stack. A body
// without any element is [io.EOF].
func parseQuery(body io.Reader) (query, error) {
	p := queryParser{decoder: xml.NewDecoder(body)}
	for {
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			return p.finish()
		}
		if err != nil {
			return query{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			err = p.start(token.Name)
		case xml.EndElement:
			p.depth--
		case xml.Directive:
			err = errors.New("a document type or an entity is not accepted")
		}
		if err != nil {
			return query{}, err
		}
	}
}

type queryParser struct {
	decoder *xml.Decoder
	depth   int
	query   query
	asked   bool // propname, allprop or prop was seen
	inProp  bool
	begun   bool
	count   int
}

func (p *queryParser) start(name xml.Name) error {
	p.depth++
	switch {
	case p.depth > maxQueryDepth:
		return fmt.Errorf("elements are nested more than %d deep", maxQueryDepth)
	case p.depth == 1:
		if p.begun || name != (xml.Name{Space: namespace, Local: "propfind"}) {
			return fmt.Errorf("the document is no propfind of %s", namespace)
		}
		p.begun = true
	case p.depth == 2:
		return p.ask(name)
	case p.depth == 3 && p.inProp:
		return p.property(name)
	}
	return nil
}

// ask parses the kind of the query.
func (p *queryParser) ask(name xml.Name) error {
	p.inProp = false
	if name.Space != namespace {
		return nil // an extension, to be ignored
	}
	switch name.Local {
	case "allprop":
		all := allProperties()
		p.query.all, p.query.known = true, all.known
	case "propname":
		p.query.namesOnly = true
	case "prop":
		p.inProp = true
	default:
		return nil // extensions, and include, whose properties allprop has anyway
	}
	if p.asked {
		return errors.New("more than one of prop, propname and allprop")
	}
	p.asked = true
	return nil
}

// property adds a property to the query.
func (p *queryParser) property(name xml.Name) error {
	if p.count++; p.count > maxProperties || len(name.Space)+len(name.Local) > maxNameLength {
		return fmt.Errorf("more than %d properties, or a name longer than %d bytes", maxProperties, maxNameLength)
	}
	if known, ok := propertyOf(name); ok {
		p.query.known[known] = true
		return nil
	}
	p.query.unknown = appendElement(p.query.unknown, name)
	return nil
}

func (p *queryParser) finish() (query, error) {
	switch {
	case !p.begun:
		return query{}, io.EOF
	case !p.asked:
		return query{}, errors.New("none of prop, propname and allprop")
	}
	return p.query, nil
}

// appendElement appends an empty element with a name.
func appendElement(b []byte, name xml.Name) []byte {
	if name.Space == "" {
		b = append(b, '<')
		b = append(b, name.Local...)
		return append(b, ` xmlns=""/>`...)
	}
	b = append(b, "<x:"...)
	b = append(b, name.Local...)
	b = append(b, ` xmlns:x="`...)
	b = appendText(b, name.Space)
	return append(b, `"/>`...)
}
