FROM node:24-bookworm-slim AS build
WORKDIR /signalbox
COPY . .
RUN npm ci && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
WORKDIR /signalbox
COPY --from=build /signalbox /signalbox
USER node
EXPOSE 15010 15012 15014
# With its whole path: containers may have another working directory.
ENTRYPOINT ["node", "/signalbox/packages/signalbox/bin/signalbox.js"]
CMD ["run", "--config", "/etc/signalbox/signalbox.yaml"]
