// Package clr is the small part of the common language runtime that policy
// expressions need: types and their member rows, tagged values, exceptions,
// delegates and the frame that one evaluation runs in.
//
// It knows no member: package lib supplies those as rows whose signatures are
// written as C# declares them. It does no checking of sources either; package
// check reads the same rows to bind names, package emit calls them.
//
// Where .NET Framework and modern .NET differ the package follows modern .NET,
// save for the text of KeyNotFoundException, which policies are known to see in
// its older form. Start reading at Value, then Type and Member.
package clr
