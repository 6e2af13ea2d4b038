// Package rest serves the restic REST protocol, versions 1 and 2, from a
// [storage.Store]. It knows neither Redis nor rclone nor who is calling: the caller has
// parsed the URL (with the help of [object.Parse]), judged the credentials and
// hands over a [Target].
//
// What a backup can rely on:
//
//   - an object is published only when it hashes to its name;
//   - 404 is answered only for a proven absence;
//   - a list or an object that breaks off never looks complete;
//   - operations that change one object happen one after the other;
//   - a lock written or deleted here is seen so by the next list.
package rest
