# One image for every node. CI has no container engine: this file and docker-compose.yml are parsed and
# cross-checked by test/unit/deploy/compose.test.ts, the images are never built there.

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:20.20.2-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
# A named volume takes over the owner of the directory that it covers.
RUN install -d -o node -g node /data
USER node
EXPOSE 7080 7180
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["serve"]
