// GraphiQL on our own endpoint; everything comes from this server.
"use strict";

const TOKEN_FIRST = `# The schema needs a token. Put it into the tab "Headers" below and press
# "Re-fetch GraphQL schema" on the left:
#
#   {"Authorization": "Bearer cpt_..."}

{
  products(first: 5) {
    nodes { slug name state }
  }
  viewer { role position }
}
`;

const endpoint = new URL("graphql", window.location.href);
const live = new URL(endpoint);
live.protocol = live.protocol === "https:" ? "wss:" : "ws:";

const fetcher = GraphiQL.createFetcher({
  url: endpoint.href,
  subscriptionUrl: live.href, // the headers go along in connection_init
});

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: TOKEN_FIRST,
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: false, // a token is kept nowhere
  }),
);
