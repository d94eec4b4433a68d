package resource

// linkRow is a type of links: associations under names of their own, as newer api-versions have them beside the
// associations. A link is stored as the association that it is. to is the field that names the other end.
func linkRow(path, nameParam, to, end, link string) *Row {
	return &Row{
		Namespace: APIM, Path: path, Shape: Link, Entity: "Link", Proof: "TestGolden/links", Versions: since(apimVersions, v2022sep),
		Verbs: Get | Put | Delete | List, NameParam: nameParam, NameMax: 80, NameLike: plainName, NoIfMatch: true,
		Fields:  []Field{{Path: "properties." + to, Kind: String, Flags: Required}},
		Filters: map[string]string{to: "properties." + to},
		Link:    link, LinkEnd: end,
	}
}

func linkRows() []*Row {
	return []*Row{
		linkRow("service/products/apiLinks", "apiLinkId", "apiId", "service/apis", "service/products/apis"),
		linkRow("service/products/groupLinks", "groupLinkId", "groupId", "service/groups", "service/products/groups"),
		linkRow("service/tags/apiLinks", "apiLinkId", "apiId", "service/apis", "service/apis/tags"),
		linkRow("service/tags/operationLinks", "operationLinkId", "operationId", "service/apis/operations", "service/apis/operations/tags"),
		linkRow("service/tags/productLinks", "productLinkId", "productId", "service/products", "service/products/tags"),
	}
}
