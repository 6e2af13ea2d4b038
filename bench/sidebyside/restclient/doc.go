// Package restclient speaks the restic REST protocol to one repository, as restic does,
// and makes the objects that it stores there. It starts no server and measures nothing.
package restclient
