package catalog

import "strings"

// validUUID reports whether s is a UUID in NethServer 8's form: lower case with hyphens.
// Other forms are not normalized, since paths of requests are compared with the value in
// Redis.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// validNodeID reports whether s is a decimal number of at least 1, without leading zeros.
func validNodeID(s string) bool {
	if s == "" || len(s) > 9 || s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// validModuleID reports whether s is an app type, optionally followed by a number.
func validModuleID(s string) bool { return validApp(s) && validApp(appOfModule(s)) }

// validApp reports whether s can be an app type, the name of a container image: lower-case
// letters, digits and inner ".", "_" and "-". A trailing dot is excluded, because some file
// systems drop it.
func validApp(s string) bool {
	if s == "" || len(s) > 128 || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '.' || c == '_' || c == '-') && i > 0:
		default:
			return false
		}
	}
	return true
}

// appOfModule returns the app type in a module's ID: "traefik" for "traefik1".
func appOfModule(id string) string { return strings.TrimRight(id, "0123456789") }

// appOfImage returns the app type in a module's image: "traefik" for
// "ghcr.io/nethserver/traefik:3.0@sha256:…".
func appOfImage(url string) string {
	name := url[strings.LastIndexByte(url, '/')+1:]
	if i := strings.IndexAny(name, ":@"); i >= 0 {
		name = name[:i]
	}
	return name
}
