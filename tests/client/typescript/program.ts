// A program as somebody would write it with a client generated from docs/openapi.json. It prints what it got, as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

type Result = components["schemas"]["Result"];

const service = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

async function search(text: string): Promise<Result[]> {
  const { data, error } = await service.POST("/search/{collection}", {
    params: { path: { collection: "images" } },
    body: { text, top_k: 2, include: ["uri"] },
  });
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  return data.results;
}

async function keywords(text: string): Promise<string[]> {
  const { data, error } = await service.POST("/keywords", { body: { text, top_k: 1 } });
  if (error) throw new Error(error.code);
  return data.keywords.map((found) => found.keyword);
}

async function store(): Promise<string[]> {
  const made = await service.PUT("/collections/{name}", {
    params: { path: { name: "sentences" } },
    body: { kind: "captions" },
  });
  if (made.error) throw new Error(made.error.code);
  const { data, error } = await service.POST("/collections/{name}/items", {
    params: { path: { name: "sentences" } },
    body: { items: [{ id: "a/b", text: "dog", metadata: { page: 3 } }] },
  });
  if (error) throw new Error(error.code);
  return data.ids;
}

async function list(): Promise<(string | null)[]> {
  const { data, error } = await service.GET("/collections/{name}/items", {
    params: { path: { name: "sentences" }, query: { limit: 10 } },
  });
  if (error) throw new Error(error.code);
  return data.items.map((item) => item.caption);
}

/** A snapshot, taken home and brought back as a collection of another name. */
async function bringBack(): Promise<number | null | undefined> {
  const made = await service.POST("/collections/{name}/snapshot", { params: { path: { name: "sentences" } } });
  if (made.error) throw new Error(made.error.code);
  const kept = await service.GET("/snapshots/{file}", {
    params: { path: { file: made.data.name } },
    parseAs: "blob",
  });
  if (!kept.data) throw new Error("no snapshot");
  const sent = await service.POST("/snapshots", {
    body: kept.data as unknown as string, // the generator knows no other type for bytes
    bodySerializer: (body) => body,
    headers: { "Content-Type": "application/x-tar" },
  });
  if (sent.error) throw new Error(sent.error.code);
  const restored = await service.POST("/collections/{name}/restore", {
    params: { path: { name: "brought-back" } },
    body: { snapshot: sent.data.name },
  });
  if (restored.error) throw new Error(restored.error.code);
  return restored.data.count;
}

async function embed(): Promise<number> {
  const { data, error } = await service.POST("/embeddings", { body: { input: ["dog", "cat"] } });
  if (error) throw new Error(error.code);
  return data.data.length;
}

async function refused(): Promise<string | undefined> {
  const { error } = await service.POST("/embed", { body: { text: "" } });
  return error?.code;
}

console.log(
  JSON.stringify({
    found: (await search("dog")).map((result) => result.id),
    keywords: await keywords("cat"),
    stored: await store(),
    listed: await list(),
    broughtBack: await bringBack(),
    embedded: await embed(),
    refused: await refused(),
  }),
);
